/**
 * One app, as the daemon sees it: whether its primary runs, and what is done about that. The record says what is
 * wanted; this file makes it so, whatever ends or hangs.
 *
 * Owns     a timer, the connection to the primary, and the primary's ChildProcess if this daemon has started it. The
 *          process itself belongs to nobody: it goes on without the daemon
 * Used by  daemon.ts, listing.ts (the type)
 * Uses     supervisor/restart_budget.ts; primary_process.ts, live_primary.ts (what starts and finds a primary is passed in)
 * States   stopped ── start ──► spawning ── it has its socket ──► running ── it ends, and is wanted ──► backing off
 *            ▲  ▲                   └── it ends before ──► errored            └── it has given up ──► errored  │
 *            │  └── it is gone ── stopping ◄── stop ── spawning, running          spawning ◄── the delay is over
 *            └── stop ── backing off, errored
 * Keeps    1. the record is written before anything is started or stopped, so the next daemon goes on from here
 *          2. no primary is started while another one is known to run. Two daemons, or a primary that nobody knows yet:
 *             the control socket decides, and the second primary exits without having forked
 *          3. a primary that dies is restarted as often as LIMITS allow, and then the app is errored
 */
import type { EpochClock } from '../../clock';
import { RestartBudget, type RestartLimits } from '../../supervisor/restart_budget';
import { currentOf, readCurrent, recordFile, writeJson, type AppRecord, type CurrentApp } from '../app/app_record';
import { EXIT_TAKEN } from '../app/exit_codes';
import type { AppSpec } from '../app/app_spec';
import type { AppState } from './api';
import type { Log } from './daemon_log';
import { WAS_REPLACED, type Former, type LivePrimary } from './live_primary';
import { livesFor, type ProcessEnd, type StartedPrimary } from './primary_process';

/** The restart budget of a primary: the same numbers as those of a worker (SuperviseOptions.restarts). */
const LIMITS: RestartLimits = { max: 10, maxAll: 10, withinMs: 60_000, healthyMs: 10_000, minDelayMs: 100, maxDelayMs: 10_000, jitter: 0.2 };
/** There is one primary, so the budget has one slot. */
const SLOT = 1;
/** How much longer than its workers a primary may take to stop, in milliseconds, before it gets SIGKILL: it closes its log files. */
const STOP_MARGIN_MS = 10_000;
/** How long a primary that was told to kill its workers may take, in milliseconds. */
const STOP_NOW_MS = 5_000;
/** How long the daemon waits before it looks again who has the socket, in milliseconds: its primary did not get it, or does not answer yet. */
const LOOK_AGAIN_MS = 100;

type Phase =
  | { readonly is: 'stopped' }
  | { readonly is: 'errored'; readonly reason: string }
  | { readonly is: 'looking' }
  | { readonly is: 'backing off'; readonly reason: string; readonly cancel: () => void }
  | { readonly is: 'spawning'; readonly started: StartedPrimary }
  | { readonly is: 'running'; readonly primary: Primary }
  | { readonly is: 'stopping'; readonly primary: Primary; readonly cancel: () => void };

/** A primary that answers; live_primary.ts has it for a process, tests without one. */
export type Primary = Pick<LivePrimary, 'pid' | 'isOurs' | 'ended' | 'hasStarted' | 'servedMs' | 'isOf' | 'call' | 'watch' | 'stop' | 'kill' | 'letGo'>;

/** What an app needs of its daemon. */
export interface AppPorts {
  readonly state: string;
  readonly log: Log;
  readonly clock: EpochClock;
  /** Starts a primary. Throws what the system says. */
  start(record: AppRecord, env: AppSpec['env'], why: 'command' | 'restart'): StartedPrimary;
  /** Who answers at the control socket of the app; null: nobody. `started`: it may be this process. `former`: it is not this one any more. */
  find(started: StartedPrimary | null, former?: Former): Promise<Primary | null>;
  /** Something in the app has changed: whoever waits for it looks again. `detail` is worth a progress message. */
  changed(detail: object | null): void;
}

/** One app of the daemon. */
export class App {
  readonly #ports: AppPorts;
  #record: AppRecord;
  #phase: Phase = { is: 'stopped' };
  #budget = new RestartBudget(LIMITS, Math.random);
  #restarts = 0;
  #isCommand = false;

  /** Nothing happens before `takeOver` or `start`. */
  constructor(record: AppRecord, ports: AppPorts) {
    this.#record = record;
    this.#ports = ports;
  }

  get name(): string {
    return this.#record.spec.name;
  }

  get record(): AppRecord {
    return this.#record;
  }

  /** The spec as it is now, after what was changed by `scale` and `reload`. */
  get spec(): AppSpec {
    return currentOf(this.#ports.state, this.#record).spec;
  }

  /** How often the primary was restarted since the last command. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The primary, while it runs and answers. */
  get primary(): Primary | null {
    return this.#phase.is === 'running' || this.#phase.is === 'stopping' ? this.#phase.primary : null;
  }

  get state(): AppState {
    switch (this.#phase.is) {
      case 'looking': case 'spawning': return 'starting';
      case 'running': return this.#phase.primary.hasStarted ? 'online' : 'starting';
      default: return this.#phase.is;
    }
  }

  get reason(): string {
    return this.#phase.is === 'errored' || this.#phase.is === 'backing off' ? this.#phase.reason : '';
  }

  /** Has neither a primary nor a timer. */
  get isAtRest(): boolean {
    return this.#phase.is === 'stopped' || this.#phase.is === 'errored';
  }

  // ── commands ───────────────────────────────────────────────────────────────────────────────────

  /** Starts it by a record that was written. It must be at rest, or `again`: then the running primary is stopped first. */
  start(record: AppRecord): void {
    this.#record = record;
    this.#budget = new RestartBudget(LIMITS, Math.random);
    this.#restarts = 0;
    this.#isCommand = true;
    if (this.#phase.is === 'backing off') this.#phase.cancel();
    if (this.#phase.is === 'running') this.#stop(this.#phase.primary, false);
    else if (this.#phase.is !== 'stopping' && this.#phase.is !== 'spawning') this.#spawn('command');
  }

  /** Stops it by a record that was written. `now`: kills the workers. */
  stop(record: AppRecord, now: boolean): void {
    this.#record = record;
    switch (this.#phase.is) {
      case 'backing off': this.#phase.cancel(); return this.#enter({ is: 'stopped' });
      case 'errored': return this.#enter({ is: 'stopped' });
      case 'spawning': return this.#stopStarted(this.#phase.started, now);
      case 'running': return this.#stop(this.#phase.primary, now);
      case 'stopping': return now ? this.#stop(this.#phase.primary, true) : undefined;
      case 'stopped': case 'looking': return; // `looking` reads the record when it has found something.
    }
  }

  /** The daemon has just started: finds the primary that a former daemon has left, or starts one if it should run. */
  async takeOver(isThisBoot: boolean): Promise<void> {
    if (this.#record.wanted === 'errored') this.#enter({ is: 'errored', reason: this.#record.reason });
    else this.#enter({ is: 'looking' });
    const found = await this.#ports.find(null);
    if (found !== null) return void this.#adopt(found);
    if (this.#phase.is !== 'looking') return;
    if (this.#record.wanted === 'running' && isThisBoot) return this.#ended('its primary was gone when the daemon started', 0);
    if (this.#record.wanted === 'running') this.#remember({ wanted: 'stopped' });
    this.#enter({ is: 'stopped' });
  }

  /** The daemon ends; the primary goes on. */
  letGo(): void {
    if (this.#phase.is === 'backing off' || this.#phase.is === 'stopping') this.#phase.cancel();
    this.primary?.letGo();
  }

  // ── starting ───────────────────────────────────────────────────────────────────────────────────

  #spawn(why: 'command' | 'restart'): void {
    const { start, log } = this.#ports;
    let started: StartedPrimary;
    try {
      started = start(this.#record, this.spec.env, why);
    } catch (error) {
      return this.#fail(`its primary could not be started: ${error instanceof Error ? error.message : String(error)}`);
    }
    log(`${this.name}: started primary ${started.child.pid ?? '(none)'}`);
    this.#enter({ is: 'spawning', started });
    void this.#follow(started);
  }

  /** Waits for a primary of this daemon, from its start to its end. */
  async #follow(started: StartedPrimary): Promise<void> {
    const { run } = this.#record;
    let lives = await started.ready;
    while (lives) {
      const found = await this.#ports.find(started);
      if (found !== null) return this.#adopt(found);
      lives = await livesFor(started, LOOK_AGAIN_MS, this.#ports.clock); // The machine may be too busy for it to answer in time.
    }
    const end = await started.ended;
    if (end.code === EXIT_TAKEN) return this.#taken();
    if (run !== this.#record.run && this.#isWanted(started)) return this.#spawn('command'); // A command has come meanwhile.
    const text = reasonOf(started.printed(), `its primary ${endText(end)} before it could work`);
    if (this.#lastEnd === null && this.#isCommand && this.#isWanted(started)) return this.#fail(text);
    this.#ended(text, 0);
  }

  /** Another process has the socket: a primary that a former daemon has started, or somebody else. */
  async #taken(): Promise<void> {
    const looking: Phase = { is: 'looking' };
    this.#enter(looking);
    const found = await this.#ports.find(null);
    if (this.#phase !== looking) return found?.letGo(); // A command has started another primary, which finds out by itself.
    if (found !== null) return this.#adopt(found);
    if (this.#record.wanted !== 'running') return this.#enter({ is: 'stopped' }); // A command has stopped the app.
    this.#backOff(LOOK_AGAIN_MS, 'another process has its control socket');
  }

  /** A primary answers at the socket. */
  async #adopt(primary: Primary): Promise<void> {
    const { log } = this.#ports;
    if (!primary.isOurs) {
      primary.letGo();
      return this.#fail(`a process that the daemon did not start has its name (pid ${primary.pid})`);
    }
    log(`${this.name}: primary ${primary.pid} answers`);
    this.#enter({ is: 'running', primary });
    const isCurrent = primary.isOf(this.#record);
    if (!isCurrent || this.#record.wanted !== 'running') this.#stop(primary, false);
    primary.watch((detail) => this.#ports.changed(detail));
    const reason = await primary.ended;
    if (this.primary !== primary) return;
    if (this.#phase.is === 'stopping' && reason === WAS_REPLACED) {
      // The stop came too late for this primary. The other one is of the same record, so `#adopt` stops it.
      const found = await this.#ports.find(null, { pid: primary.pid, wasReplaced: true });
      if (this.primary !== primary) return found?.letGo();
      this.#phase.cancel();
      if (found !== null) return this.#adopt(found);
    } else if (this.#phase.is === 'stopping') this.#phase.cancel();
    log(`${this.name}: primary ${primary.pid} ${reason}`);
    if (this.#phase.is === 'running' && this.#lastEnd === null) return this.#succeeded(primary, reason);
    this.#ended(`its primary ${reason}`, primary.servedMs);
  }

  /** A primary is gone without a reason of its own: it has been replaced, or has died. Somebody else may answer. */
  async #succeeded(former: Primary, reason: string): Promise<void> {
    const looking: Phase = { is: 'looking' };
    this.#enter(looking);
    const found = await this.#ports.find(null, { pid: former.pid, wasReplaced: reason === WAS_REPLACED });
    if (this.#phase !== looking) return found?.letGo();
    if (found !== null) return this.#adopt(found);
    this.#ended(`its primary ${reason}`, former.servedMs);
  }

  // ── stopping ───────────────────────────────────────────────────────────────────────────────────

  #stop(primary: Primary, now: boolean): void {
    if (this.#phase.is === 'stopping') this.#phase.cancel();
    primary.stop(now);
    const cancel = this.#killLater(primary.pid, now, () => primary.kill());
    this.#enter({ is: 'stopping', primary, cancel });
  }

  /** Stops a primary that does not answer yet. */
  #stopStarted({ child, ended }: StartedPrimary, now: boolean): void {
    child.kill('SIGTERM');
    void ended.then(this.#killLater(child.pid, now, () => child.kill('SIGKILL')));
  }

  #killLater(pid: number | undefined, now: boolean, kill: () => void): () => void {
    const { leaveTimeoutMs = 20_000, drainDelayMs = 0 } = this.#record.spec.supervise as { leaveTimeoutMs?: number; drainDelayMs?: number };
    return this.#ports.clock.after(now ? STOP_NOW_MS : drainDelayMs + leaveTimeoutMs + STOP_MARGIN_MS, () => {
      this.#ports.log(`${this.name}: primary ${pid} did not stop in time, and gets SIGKILL`);
      kill();
    });
  }

  // ── the end of a primary ───────────────────────────────────────────────────────────────────────

  /** The primary is gone, after it had served for so long. */
  #ended(reason: string, servedMs: number): void {
    if (this.#record.wanted !== 'running') return this.#enter({ is: 'stopped' });
    const end = this.#lastEnd;
    if (end?.is === 'given up') return this.#fail(end.reason);
    if (end?.is === 'stopped') {
      this.#remember({ wanted: 'stopped' });
      return this.#enter({ is: 'stopped' });
    }
    // A command has asked for a new primary while the old one stopped.
    if (this.#phase.is === 'stopping' && this.#isCommand) return this.#spawn('command');
    this.#backOff(this.#budget.backOffMs(SLOT, servedMs), reason, servedMs);
  }

  /** Why the last primary has ended, in its own words; null if it could not say it. */
  get #lastEnd(): CurrentApp['ended'] {
    const current = readCurrent(this.#ports.state, this.name);
    return current.is === 'there' && current.content.id === this.#record.id && current.content.run === this.#record.run ? current.content.ended : null;
  }

  #backOff(delayMs: number, reason: string, servedMs = 0): void {
    const cancel = this.#ports.clock.after(delayMs, () => {
      const verdict = this.#budget.charge(SLOT, this.#ports.clock.now(), servedMs);
      switch (verdict.is) {
        case 'start':
          this.#restarts++;
          this.#isCommand = false;
          return this.#spawn('restart');
        case 'wait': return this.#backOff(verdict.until - this.#ports.clock.now(), reason, servedMs);
        case 'give up': return this.#fail(`its primary died more than ${LIMITS.max} times in ${LIMITS.withinMs / 1000} s; the last time: ${reason}`);
        default: return verdict satisfies never;
      }
    });
    this.#enter({ is: 'backing off', reason, cancel });
  }

  /** Gives the app up until a command starts it again. */
  #fail(reason: string): void {
    if (this.#record.wanted === 'running') this.#remember({ wanted: 'errored', reason });
    this.#ports.log(`${this.name}: errored: ${reason}`);
    this.#enter({ is: 'errored', reason });
  }

  /** Changes the record. If that cannot be written, the next daemon tries once more what this one has given up. */
  #remember(change: Partial<Pick<AppRecord, 'wanted' | 'reason'>>): void {
    this.#record = { ...this.#record, reason: '', ...change };
    try {
      writeJson(recordFile(this.#ports.state, this.name), this.#record);
    } catch (error) {
      this.#ports.log(`${this.name}: its record cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Is a primary wanted, and this one being started? */
  #isWanted(started: StartedPrimary): boolean {
    return this.#record.wanted === 'running' && this.#phase.is === 'spawning' && this.#phase.started === started;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#ports.changed(null);
  }
}

function endText({ code, signal, error }: ProcessEnd): string {
  return error !== '' ? `could not be started (${error})` : signal === null ? `exited with ${code}` : `was killed by ${signal}`;
}

const reasonOf = (error: string, end: string): string => (error === '' ? end : `${error} (${end})`);
