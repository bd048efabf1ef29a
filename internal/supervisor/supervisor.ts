/**
 * The supervisor: the fleet on one side, the public cluster object on the other. It forks what the
 * fleet starts, tells what happens, and obeys signals.
 *
 * Owns     the handlers of signals while there is anything to supervise
 * Used by  lib/supervisor.ts
 * Never    uses more of the cluster than its documented members, so that Node's own serves as well;
 *          calls a listener of the program's from inside the fleet. Each event is emitted in a tick of its
 *          own, when the fleet has done what follows from it: a listener may throw, or command anything
 */
import { EventEmitter } from 'node:events';
import type { Cluster } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../dist_files';
import { ownOptions } from '../own_options';
import { epochClock } from '../clock';
import { Fleet } from './fleet';
import { Output } from './stderr_lines';
import { checkCount, type Checked } from './options';
import type { Occupant, Slot } from './slots';
import { EXIT_GIVEN_UP, EXIT_KILLED, PrimaryEnd } from './primary_end';
import { Process } from './worker_process';
import { commonAddresses } from './readiness';
import { Signals } from './stop_signals';
import { startWorker } from './start_worker';
import { StopRequests } from './stop_requests';
import { releases } from './release';
import type { Generation, GivenUp, Member, MemberEvents, ProcessState, Report, WorkerState } from './states';
import type { Status, SupervisorEvents, WorkerStatus } from './status';
import { Terminal } from './terminal';
import { SETUP, type Setup } from './wire';

/** What each worker loads first. */
const agent = builtFile('internal/supervisor/worker/agent.js');

/** Keeps the workers of one app alive; `supervise` makes it. */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  /** Settled when all workers are ready for the first time, or one of them was given up. */
  readonly started: Promise<Report>;
  readonly #cluster: Cluster;
  readonly #options: Checked;
  readonly #fleet: Fleet;
  readonly #signals: Signals;
  /** Obeyed when a signal has stopped all, and the process has not ended yet. */
  readonly #lastSignals: Signals;
  readonly #stopRequests = new StopRequests();
  readonly #terminal: Terminal | null;
  readonly #end: PrimaryEnd;
  /** Why all stop, while they do. `killed`: one did not leave in time. */
  #stopping: { readonly by: 'program' | 'signal' | 'give up'; now: boolean; killed: boolean } | null = null;
  readonly #output: Output | null;
  /** The last output of the last worker of each slot that was given up, by the number of the slot. */
  readonly #lastWords = new Map<number, string>();

  constructor(cluster: Cluster, options: Checked) {
    super();
    this.#cluster = cluster;
    this.#options = options;
    this.#terminal = options.signals ? new Terminal() : null;
    this.#end = new PrimaryEnd(options.exitAfterMs);
    this.#output = options.stderr === 'pipe' ? new Output(process.stderr) : null;
    this.#fleet = new Fleet(options, {
      clock: epochClock,
      random: Math.random,
      resolve: releases(options.exec, () => options.cwd ?? directoryOf(ownOptions(cluster.settings, ['cwd']).cwd), { directory: process.cwd(), pwd: process.env['PWD'], program: process.argv[1] }),
      start: (...what) => this.#fork(...what),
      vacant: (slot, state) => this.#vacant(slot, state),
      gaveUp: (slot, what, reason) => void this.#gaveUp(slot, what, reason),
      exhausted: () => {
        this.#end.because(EXIT_GIVEN_UP);
        this.#end.done(options.signals);
      },
      stopped: () => this.#stopped(),
      reloading: (state, { number, exec }, reason) => this.#tell('reload', { state, generation: number, exec, reason }),
    });
    this.#signals = new Signals({
      SIGHUP: () => this.#hangUp(),
      SIGTERM: () => this.#stopBySignal(),
      SIGINT: () => this.#stopBySignal(),
      SIGTTIN: () => void this.scale(Math.min(options.maxWorkers, this.#fleet.desired + 1)).catch(() => undefined),
      SIGTTOU: () => void this.scale(Math.max(1, this.#fleet.desired - 1)).catch(() => undefined),
    });
    const later = (): void => { if (this.#stopRequests.next(epochClock.now()) === 'now') this.#end.now(); };
    this.#lastSignals = new Signals({ SIGTERM: later, SIGINT: later });
    // An earlier supervisor of this process may have given up.
    this.started = this.#fleet.scale(options.workers, 'start', () => this.#end.callOff());
    if (options.signals) this.#signals.listen();
  }

  /**
   * Replaces all workers by new ones, whose script is looked up anew: first one, the canary, which has to
   * stay ready for `canaryMs`, then the others. Nobody who serves leaves before his successor is ready.
   * Asked for while another reload runs, it follows that one.
   *
   * @returns  what became of each worker, when the last old one is gone
   * @throws   SupervisorError ERR_RELOAD_ABORTED, with the reason: the old workers go on
   */
  reload(): Promise<Report> {
    if (this.#fleet.desired > 0) this.#end.callOff();
    return this.#fleet.reload();
  }

  /**
   * Wants so many workers from now on, also after a stop. Places that were given up are tried again.
   *
   * @returns  what became of each worker, when so many are ready and those too many are gone
   * @throws   ERR_OUT_OF_RANGE, ERR_INVALID_ARG_TYPE; SupervisorError ERR_GIVEN_UP
   */
  async scale(count: number): Promise<Report> {
    checkCount('count', count, this.#options.maxWorkers);
    const report = this.#fleet.scale(count, 'scale', () => {
      this.#stopping = null;
      this.#lastSignals.ignore();
      this.#end.callOff();
    });
    if (this.#options.signals) this.#signals.listen();
    return report;
  }

  /**
   * Lets all workers leave. `now`: kills them. The process is free to end afterwards; `scale` begins anew.
   *
   * @returns  what became of each worker, when all are gone
   */
  async stop({ now = false }: { now?: boolean } = {}): Promise<Report> {
    return this.#stop('program', now);
  }

  async #stop(by: 'program' | 'signal', now: boolean): Promise<Report> {
    this.#stopping ??= { by, now, killed: false };
    if (by === 'signal' && this.#stopping.by === 'program') this.#stopping = { ...this.#stopping, by };
    if (now) this.#stopping.now = true;
    const stopping = this.#fleet.stop();
    if (now) for (const member of this.#fleet.slots.members) member.kill();
    return stopping;
  }

  /** How it stands with everybody. */
  status(): Status {
    const { slots: { all, departing }, rollout, desired } = this.#fleet;
    const of = ({ member }: Occupant, role: WorkerStatus['role']): WorkerStatus => ({ ...nameOf(member), role, state: member.state });
    const workers = all.flatMap((slot): WorkerStatus[] => {
      const vacancy = slot.current === null ? this.#fleet.vacancy(slot) : null;
      const nobody = { worker: null, pid: null, generation: null };
      return [
        ...(vacancy === null ? [] : [{ place: slot.number, ...nobody, role: 'current' as const, state: this.#withStderr(slot.number, vacancy) }]),
        ...(slot.current === null ? [] : [of(slot.current, 'current')]),
        ...(slot.successor === null ? [] : [of(slot.successor, 'successor')]),
      ];
    });
    return {
      desired,
      ready: workers.filter(({ state }) => state.is === 'ready').length,
      reload: rollout.is,
      generation: rollout.stable.number,
      exec: rollout.stable.exec,
      cwd: rollout.stable.cwd,
      workers: [...workers, ...departing.map(({ occupant }) => of(occupant, 'leaving'))],
    };
  }

  /** A second signal does not wait; see stop_requests.ts for what a second one is. */
  #stopBySignal(): void {
    if (this.#fleet.desired > 0) this.#stopRequests.forget();
    const request = this.#stopRequests.next(epochClock.now());
    if (request !== 'same') void this.#stop('signal', request === 'now');
  }

  /** Nobody is there to see what a closed terminal would show: that is the end. Else somebody wants a reload. */
  #hangUp(): void {
    if (!this.#terminal?.isGone) return void this.reload().catch(() => undefined); // 'reload' events tell.
    if (this.#fleet.desired > 0) this.#stopBySignal();
  }

  /** The last worker is gone after a stop. */
  #stopped(): void {
    this.#signals.ignore();
    // A repeat of the signal may come when the workers are gone already, and must not end this process by its default.
    if (this.#stopping?.by === 'signal') this.#lastSignals.listen();
    const { by, killed } = this.#stopping ?? { by: 'program', killed: false };
    this.#stopping = null;
    if (killed) this.#end.because(EXIT_KILLED);
    this.#end.done(by !== 'program' && this.#options.signals);
    this.#tell('stopped');
  }

  #fork(generation: Generation, slot: number, events: MemberEvents, onTrial: boolean): Member {
    const { args, execArgv, env, stderr } = this.#options;
    const worker = startWorker(this.#cluster, {
      exec: generation.exec, cwd: generation.cwd, args, execArgv: [...execArgv, '--require', agent], env: { ...env, [SETUP]: JSON.stringify(this.#setup(onTrial)) }, stderr,
    });
    this.#lastWords.delete(slot);
    const member: Process = new Process(worker, slot, generation, this.#options, {
      clock: epochClock,
      random: Math.random,
      delayMs: () => (this.#fleet.desired === 0 ? this.#options.drainDelayMs : 0),
      expected: () => this.#expected(slot, member),
      output: this.#output,
      ready: (...told) => events.ready(...told),
      retiring: (...told) => events.retiring(...told),
      lost: (...told) => events.lost(...told),
      ended: (...told) => events.ended(...told),
      transition: (one, from) => this.#changed(one, from),
    });
    this.#changed(member, null);
    return member;
  }

  /** What its part in a worker has to know from the start. */
  #setup(trial: boolean): Setup {
    const { idleGraceMs, leaveTimeoutMs, ready, readyTimeoutMs } = this.#options;
    const check = typeof ready === 'object' ? ready.http : null;
    return { trial, graceMs: idleGraceMs, leaveMs: leaveTimeoutMs, patienceMs: readyTimeoutMs + leaveTimeoutMs, check };
  }

  /** Where a worker that starts has to listen before it is ready. */
  #expected(slot: number, starting: Member): ReadonlySet<string> {
    const serving = this.#fleet.slots.all.filter((other) => other.isServed && other.current?.member !== starting);
    const predecessor = serving.find(({ number }) => number === slot)?.current?.member.listens ?? null;
    return commonAddresses(predecessor, serving.map(({ current }) => current?.member.listens ?? new Set()));
  }

  #tell<Name extends keyof SupervisorEvents>(name: Name, ...told: SupervisorEvents[Name]): void {
    process.nextTick(() => (this as EventEmitter).emit(name, ...told));
  }

  #changed(member: Member, from: ProcessState | null): void {
    const { state } = member;
    if (state.is === 'leaving' && state.phase === 'killing' && this.#stopping?.now === false) this.#stopping.killed = true;
    this.#tell('transition', { ...nameOf(member), from, state: member.state });
  }

  #vacant(slot: Slot, state: WorkerState): void {
    const from = slot.lastDead?.state ?? null;
    this.#tell('transition', { place: slot.number, worker: null, pid: null, generation: null, from, state });
  }

  /** Tells of it when everything that the last worker said is there. */
  async #gaveUp(slot: Slot, what: GivenUp, reason: string): Promise<void> {
    if (what === 'place' && this.#options.onGiveUp === 'stop') {
      this.#end.because(EXIT_GIVEN_UP);
      this.#stopping ??= { by: 'give up', now: false, killed: false };
    }
    const { nextStart, postponement, exits, lastDead } = slot;
    const retryAt = what === 'recycling' ? postponement?.until ?? null : nextStart.is === 'given up' ? nextStart.retryAt : null;
    const stderr = what === 'recycling' ? '' : await lastDead?.stderr() ?? '';
    if (what === 'place') this.#lastWords.set(slot.number, stderr);
    this.#tell('giveup', { place: slot.number, what, reason, retryAt, exits, stderr });
  }

  #withStderr(slot: number, state: WorkerState): WorkerState {
    return state.is === 'given up' ? { ...state, stderr: this.#lastWords.get(slot) ?? '' } : state;
  }
}

/** Where the program's own settings want its workers to run: a path, or a URL of one. */
function directoryOf(cwd: unknown): string | undefined {
  if (cwd instanceof URL) return fileURLToPath(cwd);
  return typeof cwd === 'string' ? cwd : undefined;
}

const nameOf = ({ slot, id, pid, generation }: Member): Pick<WorkerStatus, 'place' | 'worker' | 'pid' | 'generation'> =>
  ({ place: slot, worker: id, pid: pid ?? null, generation: generation.number });
