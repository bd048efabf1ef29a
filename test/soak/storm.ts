/**
 * A storm: while clients connect without pause, a random worker is killed every `every` milliseconds, and the
 * cluster forks another one for it. The fate of every client is counted:
 *
 *   served   it got back what it had sent
 *   reset    its connection ended before that: its worker had taken it and was killed
 *   refused  nobody listened: all workers were dead
 *   hung     nothing happened until the deadline
 *
 * `twice` counts, besides, the connections that two workers have passed to their apps, and `unclaimed` those that were reset
 * although no worker had passed them to its app. A connection is known by the client's port.
 *
 * Used by  test/faults/kill_storm.test.ts (small storms), test/soak/run.ts; or npx tsx test/soak/storm.ts '{...}'
 * Owns     the program, its clients and a file, all of them released at the end
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { random } from '../random/sequences';
import { claimPort } from '../support/own_port';
import { Program, root } from '../support/program';
import { fdsOf, rssOf } from './proc';

export interface StormOptions {
  readonly kind?: 'ours' | 'stock';
  readonly policy: 'rr' | 'none';
  readonly dialect?: 'pipelined' | 'node';
  /** A scheduling rule of ours. */
  readonly scheduling?: string;
  readonly workers?: number;
  readonly clients?: number;
  /** The storm ends after this many kills. */
  readonly kills: number;
  /** Milliseconds between two kills. */
  readonly every?: number;
  /** A worker is killed only while at least so many listen. With 2 no client is refused. With 0, the default, nobody listens most of the time on a slow machine. */
  readonly least?: number;
  /** Milliseconds after which a client counts as hung. */
  readonly deadline?: number;
  readonly seed?: number;
}

export interface Storm {
  readonly kills: number;
  readonly served: number;
  readonly reset: number;
  readonly refused: number;
  readonly hung: number;
  readonly twice: number;
  /** Of those that were reset: the connections that no worker had passed to its app. */
  readonly unclaimed: number;
  /** Null, or how the primary ended before the storm was over, and the end of its output. */
  readonly died: string | null;
  readonly fds: readonly [before: number, after: number];
  readonly rss: readonly [before: number, after: number];
  /** The primary at each kill: minutes since the storm began, its MB, its fds. */
  readonly samples: readonly (readonly [minutes: number, rss: number, fds: number])[];
}

/** Milliseconds until a client tries again where nobody listened. */
const PAUSE = 5;

export async function storm(options: StormOptions): Promise<Storm> {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-storm-'));
  const record = path.join(directory, 'served');
  const { kind = 'ours', policy, dialect, scheduling, workers = 8 } = options;
  const { port, release } = await claimPort();
  const program = new Program(path.join(root, 'test/soak/cluster_program.js'), {
    args: [JSON.stringify({ kind, policy, dialect, scheduling, workers, port })], env: { RECORD: record }, deadline: 3_600_000,
  });
  try {
    return await new Weather(program, options, record).blow();
  } finally {
    await program.stop('SIGTERM').catch(() => undefined);
    await release();
    rmSync(directory, { recursive: true, force: true });
  }
}

class Weather {
  readonly #program: Program;
  readonly #options: Required<Omit<StormOptions, 'scheduling'>>;
  readonly #record: string;
  readonly #counts = { served: 0, reset: 0, refused: 0, hung: 0 };
  /** For each port, how many connections of our clients have had it as their local port. */
  readonly #ports = new Map<number, number>();
  /** The local ports of the connections that were reset. */
  readonly #resets: number[] = [];
  readonly #samples: [number, number, number][] = [];
  #over = false;
  #kills = 0;

  constructor(program: Program, options: StormOptions, record: string) {
    this.#program = program;
    this.#record = record;
    this.#options = { kind: 'ours', dialect: 'pipelined', workers: 8, clients: 64, every: 100, deadline: 20_000, seed: 1, least: 0, ...options };
  }

  async blow(): Promise<Storm> {
    const { clients } = this.#options;
    await this.#settled();
    const pid = this.#program.child.pid as number;
    const port = Number(JSON.parse(this.#program.child.spawnargs.at(-1) as string).port);
    const before = { fds: fdsOf(pid), rss: rssOf(pid) };
    const running = Array.from({ length: clients }, () => this.#client(port));
    await this.#kill();
    this.#over = true;
    await Promise.all(running);
    const died = this.#diedOf();
    if (died === null) {
      await this.#settled();
      // The primary reads the channel of a killed worker to its end over some turns of its event loop.
      for (const end = performance.now() + 10_000; fdsOf(pid) > before.fds && performance.now() < end;) await new Promise((resolve) => setImmediate(resolve));
    }
    const after = died === null ? { fds: fdsOf(pid), rss: rssOf(pid) } : { fds: 0, rss: 0 };
    return { kills: this.#kills, ...this.#counts, ...this.#recorded(), died, fds: [before.fds, after.fds], rss: [before.rss, after.rss], samples: this.#samples };
  }

  #diedOf(): string | null {
    const { exitCode, signalCode } = this.#program.child;
    return exitCode === null && signalCode === null ? null : `${signalCode ?? exitCode}: ${this.#program.output.slice(-2000)}`;
  }

  #lines(what: string): RegExpMatchArray[] {
    return [...this.#program.output.matchAll(new RegExp(`^${what} (\\d+)(?: (\\d+))?$`, 'gm'))];
  }

  /** The pids of the workers that have not ended. */
  #alive(): number[] {
    const ended = new Set(this.#lines('exit').map((line) => line[1]));
    return this.#lines('fork').filter((line) => !ended.has(line[1] as string)).map((line) => Number(line[2]));
  }

  /** The number of workers that listen. */
  #listening(): number {
    const ended = new Set(this.#lines('exit').map((line) => line[1]));
    return this.#lines('listening').filter((line) => !ended.has(line[1] as string)).length;
  }

  /** Waits until all workers listen. */
  async #settled(): Promise<void> {
    const listens = (): boolean => this.#listening() === this.#options.workers;
    while (!listens() && this.#diedOf() === null) await once(this.#program.child.stdout as NodeJS.ReadableStream, 'data', { signal: AbortSignal.timeout(60_000) }).catch((error) => {
      if (this.#diedOf() === null && !listens()) throw error;
    });
  }

  #kill(): Promise<void> {
    const next = random(this.#options.seed);
    const begun = performance.now();
    const pid = this.#program.child.pid as number;
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (this.#kills >= this.#options.kills || this.#diedOf() !== null) {
          clearInterval(timer);
          return resolve();
        }
        // With `least` the one that was killed last has ended, so that it is not counted among those that listen.
        if (this.#options.least > 0 && (this.#listening() < this.#options.least || this.#lines('exit').length < this.#kills)) return;
        this.#samples.push([(performance.now() - begun) / 60_000, rssOf(pid) / 2 ** 20, fdsOf(pid)]);
        const alive = this.#alive();
        const victim = alive[Math.floor(next() * alive.length)];
        if (victim === undefined) return;
        try {
          process.kill(victim, 'SIGKILL');
          this.#kills++;
        } catch {
          return; // It has ended, and the primary has not printed that yet.
        }
      }, this.#options.every);
    });
  }

  /** Opens one connection after another, until the storm is over. */
  async #client(port: number): Promise<void> {
    while (!this.#over && this.#diedOf() === null) {
      const outcome = await this.#connect(port);
      this.#counts[outcome]++;
      if (outcome === 'refused') await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  #connect(port: number): Promise<'served' | 'reset' | 'refused' | 'hung'> {
    return new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1');
      let said = '';
      let connected = false;
      let local = 0;
      const timer = setTimeout(() => {
        resolve('hung');
        socket.destroy();
      }, this.#options.deadline);
      socket.setEncoding('utf8').on('data', (text: string) => { said += text; });
      socket.on('connect', () => {
        connected = true;
        local = socket.localPort as number;
        this.#ports.set(local, (this.#ports.get(local) ?? 0) + 1);
        socket.write('hello');
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        clearTimeout(timer);
        const outcome = said === 'hello' ? 'served' : connected ? 'reset' : 'refused';
        if (outcome === 'reset') this.#resets.push(local);
        resolve(outcome);
      });
    });
  }

  /** What the workers have recorded, against what the clients have seen. */
  #recorded(): Pick<Storm, 'twice' | 'unclaimed'> {
    const seen = new Map<number, number>();
    for (const line of readFileSync(this.#record, 'utf8').trim().split('\n')) seen.set(Number(line), (seen.get(Number(line)) ?? 0) + 1);
    let twice = 0;
    // A connection can break before the client's 'connect' event. Its port is not in #ports then, so it is left out here.
    for (const [port, count] of seen) if (this.#ports.has(port)) twice += Math.max(0, count - (this.#ports.get(port) as number));
    return { twice, unclaimed: this.#resets.filter((port) => !seen.has(port)).length };
  }
}

if (require.main === module) void storm(JSON.parse(process.argv[2] as string)).then(({ samples: _samples, ...seen }) => console.log(seen));
