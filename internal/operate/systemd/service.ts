/**
 * This process as a service of systemd: what its supervisors do becomes what systemd is told.
 *
 *   starting ── each place is ready or given up, and one is ready ──► ready ── a reload begins ──► reloading
 *   (READY=1, unless told before)                                    READY=1 ◄── it has ended ──────── RELOADING=1
 *   any ── every supervisor was told to stop ──► stopping (STOPPING=1) ── workers are started again ──► starting
 *   replaced: MAINPID=… of the primary that serves now, and nothing more, unless that one ends before this one
 *
 * With WATCHDOG_USEC, WATCHDOG=1 is sent twice in that time while this process runs and each supervisor that should have
 * workers has one that is ready or leaving. A worker that hangs is not ready for long: its supervisor kills it after
 * `pingTimeoutMs`. When the messages stop, systemd kills the service and starts it again (`Restart=`).
 *
 * Owns     one Service for the process, from the first supervisor on; its timers, which do not keep the process alive
 * Used by  lib/supervisor.ts
 * Uses     notify.ts (sends it), supervisor/observers.ts
 * Keeps    1. a state is told as soon as it holds; a STATUS alone at most once in STATUS_MS
 *          2. several supervisors in one process are one service: ready when all are, stopping when all are
 *          3. READY=1 ends each RELOADING=1, also if the reload was aborted: the service goes on with the old release
 */
import { timers } from '../../builtins';
import { LONGEST_DELAY } from '../../clock';
import { observe } from '../../supervisor/observers';
import type { Status, UpgradeEvent } from '../../supervisor/status';
import { isWanted, notify, type Notice } from './notify';

/** How often a STATUS alone is sent at most, in milliseconds. Each costs a process. */
const STATUS_MS = 1_000;

/** The part of a Supervisor that matters here. */
export interface Supervised {
  status(): Pick<Status, 'desired' | 'ready' | 'reload' | 'generation' | 'workers'>;
}

type Phase = 'starting' | 'ready' | 'reloading' | 'stopping';

/** From now on systemd is told what this supervisor does, if systemd has started this process and wants to know. */
export function tellSystemd(supervisor: Supervised): void {
  if (!isWanted()) return;
  ofThisProcess ??= new Service(notify, process.env);
  ofThisProcess.add(supervisor);
}

let ofThisProcess: Service | null = null;

/** One service, with all supervisors of a process. */
export class Service {
  readonly #tell: (notice: Notice) => unknown;
  readonly #supervisors: Supervised[] = [];
  #told: Phase = 'starting';
  #status = '';
  #statusTimer: NodeJS.Timeout | undefined;
  #isReplaced = false;

  /** `env`: where WATCHDOG_USEC and WATCHDOG_PID are. */
  constructor(tell: (notice: Notice) => unknown, env: NodeJS.ProcessEnv) {
    this.#tell = tell;
    const ms = watchdogMs(env);
    if (ms !== null) timers.setInterval(() => this.#ping(), Math.min(ms / 2, LONGEST_DELAY)).unref();
  }

  add(supervisor: Supervised): void {
    this.#supervisors.push(supervisor);
    observe(supervisor, (event) => {
      if (event[0] === 'upgrade') this.#replaced(event[1]);
      if (!this.#isReplaced) this.#update();
    });
    this.#update();
  }

  /** Another process is the primary: the workers that leave here are no stop of the service. */
  #replaced({ state, pid }: UpgradeEvent): void {
    if (state === 'leaving' && pid !== null) {
      this.#isReplaced = true;
      this.#tell({ mainPid: pid });
    } else if (state === 'failed' && this.#isReplaced) {
      this.#isReplaced = false;
      this.#tell({ mainPid: process.pid });
    }
  }

  #update(): void {
    const all = this.#supervisors.map((each) => each.status());
    const phase = phaseOf(all, this.#told);
    const status = textOf(all);
    if (phase !== this.#told) {
      this.#told = phase;
      this.#sendStatus({ ...(phase === 'starting' ? {} : { [phase]: true }) }, status);
    } else if (status !== this.#status && this.#statusTimer === undefined) {
      this.#statusTimer = timers.setTimeout(() => {
        this.#statusTimer = undefined;
        const now = textOf(this.#supervisors.map((each) => each.status()));
        if (now !== this.#status) this.#sendStatus({}, now);
      }, STATUS_MS).unref();
    }
  }

  #sendStatus(notice: Notice, status: string): void {
    this.#status = status;
    this.#tell({ ...notice, status });
  }

  #ping(): void {
    if (this.#told === 'starting' || this.#isReplaced) return; // systemd watches from READY=1 on.
    if (this.#supervisors.every((each) => isAlive(each.status()))) this.#tell({ watchdog: true });
  }
}

/** What the service does now; `told` is what it did before. */
function phaseOf(all: readonly ReturnType<Supervised['status']>[], told: Phase): Phase {
  const wanted = all.filter(({ desired }) => desired > 0);
  if (wanted.length === 0) return 'stopping';
  if (told !== 'ready' && told !== 'reloading') return wanted.every(hasStarted) ? 'ready' : 'starting';
  return wanted.some(({ reload }) => reload !== 'idle') ? 'reloading' : 'ready';
}

/** Has every place a ready worker, or was given up while another one serves? */
function hasStarted({ ready, workers }: ReturnType<Supervised['status']>): boolean {
  return ready > 0 && workers.every(({ role, state }) => role !== 'current' || state.is === 'ready' || state.is === 'given up');
}

const isAlive = ({ desired, workers }: ReturnType<Supervised['status']>): boolean =>
  desired === 0 || workers.some(({ state }) => state.is === 'ready' || state.is === 'leaving');

const textOf = (all: readonly ReturnType<Supervised['status']>[]): string =>
  all.map(({ desired, ready, reload, generation }) => (desired === 0 ? 'stopping' : `${ready} of ${desired} workers ready, release ${generation}${reload === 'idle' ? '' : ', reloading'}`)).join('; ');

/** The time within which systemd wants to hear of this process, in milliseconds; null: it does not. */
function watchdogMs({ WATCHDOG_USEC: usec = '', WATCHDOG_PID: pid = '' }: NodeJS.ProcessEnv): number | null {
  if (usec === '' || (pid !== '' && pid !== String(process.pid))) return null;
  if (/^[1-9]\d*$/.test(usec)) return Number(usec) / 1000;
  process.emitWarning(`WATCHDOG_USEC is '${usec}' and not a number of microseconds: systemd is sent no sign of life`, { type: 'SystemdWarning', code: 'CLUSTER_INTERNALS_NOTIFY' });
  return null;
}
