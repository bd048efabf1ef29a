/** An app under a supervisor in the process of the test: its script, its port, and a record of all events. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import nodeCluster, { type Cluster } from 'node:cluster';
import type { supervise as Supervise, Supervisor, SuperviseOptions, Transition, GiveUp } from '../../lib/supervisor';
import { compiled, fixture, within } from '../support/children';

export const { supervise } = compiled<{ supervise: typeof Supervise }>('lib/supervisor.js');
export const ours = compiled<Cluster>('lib/cluster.js');
export const stock = nodeCluster;

export type Mode = 'serve' | 'throws' | 'exits' | 'never listens' | 'dies later' | 'ready by message' | 'ignores SIGTERM' | 'graceful' | 'two ports';

/** One app. Each test must call `end()`. */
export class App {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'supervised-'));
  readonly script = path.join(this.directory, 'app.js');
  readonly transitions: Transition[] = [];
  readonly giveups: GiveUp[] = [];
  readonly messages: unknown[] = [];
  readonly cluster: Cluster;
  readonly supervisor: Supervisor;
  port = 0;
  /** The smallest number of ready workers at any transition since a test has set this to Infinity. */
  least = Infinity;
  readonly #waiting = new Set<() => void>();
  readonly #listening = (_worker: unknown, { port }: { port: number }): void => { this.port = port; };
  readonly #message = (_worker: unknown, message: unknown): void => void this.messages.push(message);

  constructor(options: SuperviseOptions = {}, mode: Mode = 'serve') {
    this.cluster = options.cluster ?? ours;
    this.cluster.setupPrimary({ silent: true }); // The stderr of workers that die is read, not shown.
    this.write(1, mode);
    this.cluster.on('listening', this.#listening);
    this.cluster.on('message', this.#message);
    this.supervisor = supervise({
      exec: this.script, workers: 2, execArgv: [], args: [], signals: false, canaryMs: 100, idleGraceMs: 300, cluster: this.cluster, ...options,
    });
    this.supervisor.on('transition', (transition) => {
      this.transitions.push(transition);
      this.least = Math.min(this.least, this.supervisor.status().ready);
      this.#wake();
    });
    this.supervisor.on('stopped', () => this.#wake());
    this.supervisor.on('giveup', (giveup) => {
      this.giveups.push(giveup);
      this.#wake();
    });
  }

  /** Facts about the fleet may become true only after the events of this turn, so waiting tests look now and one turn later. */
  #wake(): void {
    const wakeAll = (): void => { for (const wake of [...this.#waiting]) wake(); };
    wakeAll();
    setImmediate(wakeAll);
  }

  /** Starts an app, and waits until all workers are ready. */
  static async start(options: SuperviseOptions = {}, mode: Mode = 'serve'): Promise<App> {
    const app = new App(options, mode);
    await app.supervisor.started;
    return app;
  }

  /** Writes the script of the next release. */
  write(version: number, mode: Mode = 'serve'): void {
    writeFileSync(this.script, `require(${JSON.stringify(fixture('supervised_app.js'))})(${version}, ${JSON.stringify(mode)});`);
  }

  /** Waits until `fact` returns true. It is called after each event; with `everyMs` also so often, for facts that no event reports. */
  async until(fact: () => boolean, what: string, everyMs = 0): Promise<void> {
    let wake = (): void => undefined;
    const timer = everyMs > 0 ? setInterval(() => wake(), everyMs) : undefined;
    try {
      await within<void>(20_000, what, (resolve) => {
        wake = () => fact() && resolve();
        this.#waiting.add(wake);
        wake();
      });
    } finally {
      this.#waiting.delete(wake);
      clearInterval(timer);
    }
  }

  /** The pids of the current workers of all slots. */
  get pids(): number[] {
    return this.supervisor.status().workers.filter(({ role }) => role === 'current').map(({ pid }) => Number(pid));
  }

  /** The states of one worker, by its id, in their order; for 'leaving' its phases. */
  life(worker: number): string[] {
    return this.transitions.filter((transition) => transition.worker === worker)
      .map(({ state }) => (state.is === 'leaving' ? state.phase : state.is));
  }

  async end(): Promise<void> {
    await this.supervisor.stop({ now: true });
    process.exitCode = undefined; // The supervisor has set the exit code of this process, which is the test runner's.
    this.cluster.removeListener('listening', this.#listening);
    this.cluster.removeListener('message', this.#message);
    rmSync(this.directory, { recursive: true });
  }
}

/** Runs `body` with an app, and ends the app afterwards, also if `body` throws. */
export async function withApp(options: SuperviseOptions, mode: Mode, body: (app: App) => Promise<void>): Promise<void> {
  const app = new App(options, mode);
  try {
    await body(app);
  } finally {
    await app.end();
  }
}
