/**
 * The supervisor connects a fleet with the public cluster object and with the program: it takes commands and emits events.
 *
 * Owns     the signals (SignalCommands), while there is anything to supervise
 * Used by  lib/supervisor.ts, operate/app/app_primary.ts
 * Uses     fleet.ts (decides which workers run), worker_starts.ts (starts them), signal_commands.ts, replacing.ts (another
 *          primary), fleet_status.ts, observers.ts, primary_end.ts (how this process ends)
 * Never    uses members of the cluster that Node does not document, so that Node's own cluster works as well (except
 *          `forkWith` and `counters` where they exist: start_worker.ts, ../moving.ts)
 * Keeps    no listener of the program runs inside the fleet. Each event is emitted in a tick of its own, when the fleet
 *          has done all that follows from it, so a listener may throw or call any command
 */
import { EventEmitter } from 'node:events';
import type { Cluster } from 'node:cluster';
import { ownOptions } from '../own_options';
import { epochClock } from '../clock';
import { movedIn } from '../moving';
import { Fleet } from './fleet';
import { checkInteger } from '../validate';
import { checkCount, type CheckedOptions } from './options';
import { fleetStatus, nameOf } from './fleet_status';
import { GiveUpReports } from './give_up_reports';
import type { Slot } from './slot';
import { showToObservers } from './observers';
import { EXIT_GIVEN_UP, EXIT_KILLED, PrimaryEnd } from './primary_end';
import { keepPidFile } from './pid_file';
import { readRestartHistory } from './restart_history';
import { SignalCommands } from './signal_commands';
import type { Release } from './recipe';
import { checkChange, type ReleaseOptions } from './release_options';
import type { GivenUp, Member, ProcessState, Report, WorkerState } from './states';
import type { Status, SupervisorEvent, SupervisorEvents } from './status';
import { inheritanceHere, registerPart } from '../upgrade/registry';
import { Replacing, type UpgradeOptions, type UpgradeReport } from './replacing';
import { firstRecipe } from './worker_settings';
import { WorkerStarts } from './worker_starts';

/** Keeps the workers of one app running. `supervise` creates it. */
export class Supervisor extends EventEmitter<SupervisorEvents> {
  /** Resolves when all workers are ready for the first time. Rejects with ERR_GIVEN_UP if a slot was given up before. */
  readonly started: Promise<Report>;
  readonly #cluster: Cluster;
  readonly #options: CheckedOptions;
  readonly #fleet: Fleet;
  readonly #signals: SignalCommands;
  readonly #end: PrimaryEnd;
  /** Who asked for the running stop; null if none runs. `now`: without waiting. `killed`: a worker did not leave in time. */
  #stopping: { readonly by: 'program' | 'signal' | 'give up'; now: boolean; killed: boolean } | null = null;
  readonly #giveUps = new GiveUpReports();
  readonly #replacing: Replacing;
  /** How many workers run here again if the primary that replaces this one ends: as many as have left for it, or none after a stop. */
  #replaced = 0;

  constructor(cluster: Cluster, options: CheckedOptions) {
    super();
    this.#cluster = cluster;
    this.#options = options;
    this.#end = new PrimaryEnd(options.exitAfterMs);
    const starts = new WorkerStarts(cluster, options, {
      giveUps: this.#giveUps,
      slots: () => this.#fleet.slots.all,
      isStopping: () => this.#fleet.desired === 0 && !this.#replacing.isLeaving,
      changed: (member, from) => this.#changed(member, from),
    });
    this.#fleet = new Fleet(options, {
      clock: epochClock,
      random: Math.random,
      recipe: firstRecipe(cluster, options),
      start: (...start) => starts.start(...start),
      vacant: (slot, state) => this.#vacant(slot, state),
      gaveUp: (slot, what, reason) => void this.#gaveUp(slot, what, reason),
      exhausted: (isDeliberate) => {
        if (!isDeliberate) this.#end.setCode(EXIT_GIVEN_UP);
        this.#end.nothingLeft(options.signals);
      },
      stopped: () => this.#stopped(),
      reloading: (state, { number, exec }, reason) => this.#emitLater('reload', { state, generation: number, exec, reason }),
    });
    this.#replacing = new Replacing({
      obstacle: () => this.#upgradeObstacle(),
      leave: () => {
        this.#replaced = this.#fleet.desired;
        return this.#fleet.stop();
      },
      stay: () => void (this.#replaced > 0 ? this.#fleet.scale(this.#replaced) : this.#fleet.stop()).catch(() => undefined),
      emit: (event) => this.#emitLater('upgrade', event),
      done: () => this.#left(),
    });
    this.#signals = new SignalCommands(options, {
      desired: () => this.#fleet.desired,
      reload: () => this.reload(),
      upgrade: () => this.upgrade(),
      scale: (count) => this.scale(count),
      stop: (now) => this.#stop('signal', now),
      exitNow: () => this.#end.exitNow(),
    });
    // `cancel` takes back the exit code of an earlier supervisor of this process that gave up.
    this.started = this.#fleet.scale(options.workers, 'start', () => this.#end.cancel());
    this.#signals.obey();
    if (options.pidFile !== null) keepPidFile(options.pidFile);
    registerPart('restarts', {
      snapshot: () => this.#fleet.restartHistory,
      adopt: (value) => {
        const history = readRestartHistory(value);
        if (history !== null) this.#fleet.adopt(history);
      },
    });
    const inheritance = inheritanceHere();
    inheritance?.onStop((now) => void this.#stop('signal', now));
    if (inheritance?.isServing === false) {
      this.started.then(({ outcome }) => (outcome === 'done' ? inheritance.ready() : inheritance.failed('a command came before its workers were ready')),
        (error: Error) => inheritance.failed(error.message));
    }
  }

  /**
   * Replaces this primary: a new process runs this program (or another one), gets the listening sockets, and starts workers
   * of its own. When all of them are ready, it accepts; the workers of this one leave, and their idle connections go on
   * there, as do the shared state, the restart budget and the counters. Then this process has nothing to supervise any
   * more, and ends with 0. No connection is refused meanwhile. If the new primary does not become ready, it is ended, and this
   * one goes on as if nothing had happened.
   *
   * @param options  see UpgradeOptions; each may be left out
   * @returns        a promise that resolves when the new primary has everything, shortly before this process ends
   * @throws         nothing. The promise rejects with ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE for wrong
   *                 options; with ERR_UPGRADE_RUNNING during another upgrade; with ERR_UPGRADE_REFUSED while another
   *                 command runs, after a stop, while the primary that this one has replaced is not gone, with more than one
   *                 supervisor in this process, and on Node's own cluster; with ERR_UPGRADE_FAILED and the reason if the new
   *                 primary was not taken. During an upgrade `reload`, `rollback`, `recycle` and `scale` reject with
   *                 ERR_UPGRADE_RUNNING; `stop` calls it off, or is passed on to the new primary once that serves
   */
  upgrade(options: UpgradeOptions = {}): Promise<UpgradeReport> {
    const report = this.#replacing.start(options);
    report.catch(() => undefined); // As with other commands, a program may ignore the promise.
    return report;
  }

  /**
   * Replaces all workers by workers of the release as of now: the symlinks in the paths of the script and the working
   * directory are followed again. First one new worker starts, the canary, which has to stay ready for `canaryMs`; then
   * the others are replaced, `maxSurge` at a time. No worker that serves leaves before its successor is ready. Calls
   * while a reload runs become one reload after it; of calls that contradict each other the latest holds, and the promises
   * of the others resolve as 'superseded'.
   *
   * @param change  what is different in the new release: each property replaces that of the release before as a whole, and
   *                holds for later restarts and reloads, too. If the reload is aborted, nothing of it is kept
   * @returns       a promise of what became of each worker. It resolves when the last old worker is gone
   * @throws        nothing. The promise rejects with ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for a wrong `change`, and
   *                with a SupervisorError ERR_RELOAD_ABORTED if the script does not exist, or if the new release does not
   *                work; the old workers serve on
   */
  reload(change: ReleaseOptions = {}): Promise<Report> {
    let checked;
    try {
      checked = checkChange(change);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#renew(() => this.#fleet.reload(checked));
  }

  /**
   * Goes back to the release that was used before the present one, with exactly the paths, arguments, flags and variables
   * that it had, as by a reload: with a canary, unless workers of that release still serve. While a reload runs, that ends
   * as 'superseded', and the rollback goes to where it came from. A rollback after a rollback goes forth again. The
   * release stays, also after `stop` and `scale`, until the next reload; that one finds its release from the names that
   * `supervise` or `reload` got, as ever.
   *
   * @returns  a promise of what became of each worker. It resolves when all workers are of that release
   * @throws   nothing. The promise rejects with a SupervisorError: ERR_NO_EARLIER_RELEASE if no other release was used
   *           before, ERR_RELOAD_ABORTED if its script does not exist any more, or if it does not work
   */
  rollback(): Promise<Report> {
    return this.#renew(() => this.#fleet.rollback());
  }

  /**
   * Replaces workers that work by workers of the same release, one after another (`maxSurge` at a time), each when its
   * successor is ready. That is not charged to the restart budget. A place that was given up is tried again.
   *
   * @param place  the number of one place, from 1; all by default
   * @returns      a promise of what became of each worker. It resolves when the workers of now are gone
   * @throws       nothing. The promise rejects with ERR_OUT_OF_RANGE or ERR_INVALID_ARG_TYPE if there is no such place, and
   *               with a SupervisorError ERR_GIVEN_UP if a successor does not become ready; the old worker serves on
   */
  recycle(place?: number): Promise<Report> {
    try {
      if (place !== undefined) checkInteger('place', place, 1, this.#fleet.slots.all.length, ', a place that there is');
    } catch (error) {
      return Promise.reject(error as Error);
    }
    return this.#renew(() => this.#fleet.recycle(place ?? null));
  }

  /** Runs a command that replaces workers, unless this primary is being replaced. */
  #renew(command: () => Promise<Report>): Promise<Report> {
    const { refusal } = this.#replacing;
    if (refusal !== null) return Promise.reject(refusal);
    if (this.#fleet.desired > 0) this.#end.cancel();
    return command();
  }

  /**
   * Keeps `count` workers running from now on, also after a stop. Slots that were given up are tried again.
   *
   * @param count  how many workers, 1 to `maxWorkers`
   * @returns      a promise of what became of each worker. It resolves when `count` workers are ready and surplus ones
   *               are gone
   * @throws       nothing. The promise rejects with ERR_OUT_OF_RANGE or ERR_INVALID_ARG_TYPE for another `count`, with
   *               ENOENT if the script does not exist, and with a SupervisorError ERR_GIVEN_UP if a slot was given up
   */
  scale(count: number): Promise<Report> {
    let report;
    try {
      checkCount('count', count, this.#options.maxWorkers);
      if (this.#replacing.refusal !== null) throw this.#replacing.refusal;
      report = this.#fleet.scale(count, 'scale', () => {
        this.#stopping = null;
        this.#signals.endLast();
        this.#end.cancel();
      });
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#signals.obey();
    return report;
  }

  /**
   * Makes all workers leave. Afterwards the supervisor keeps this process alive no longer; `scale` starts workers again.
   *
   * @param options  `now: true` kills the workers instead of letting them finish their requests
   * @returns        a promise of what became of each worker. It resolves when all are gone
   */
  async stop(options: { now?: boolean } = {}): Promise<Report> {
    const { now = false } = ownOptions(options, ['now']);
    return this.#stop('program', now);
  }

  /** `await using` calls this at the end of its block: as `stop()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(by: 'program' | 'signal', now: boolean): Promise<Report> {
    this.#replacing.stop(now);
    this.#replaced = 0;
    this.#stopping ??= { by, now, killed: false };
    if (by === 'signal' && this.#stopping.by === 'program') this.#stopping = { ...this.#stopping, by };
    if (now) this.#stopping.now = true;
    const stopping = this.#fleet.stop();
    if (now) for (const member of this.#fleet.slots.members) member.kill();
    return stopping;
  }

  /**
   * Describes the current state.
   *
   * @returns  the desired and the ready number of workers, the release, and one entry for each worker, with its figures
   */
  status(): Status {
    return fleetStatus(this.#fleet, epochClock.now(), movedIn(this.#cluster), (slot) => this.#giveUps.lastOutput(slot));
  }

  /** The release that new workers run, with its variables, which `status()` does not show. */
  get release(): Readonly<Pick<Release, 'exec' | 'cwd' | 'args' | 'execArgv' | 'env'>> {
    const { exec, cwd, args, execArgv, env } = this.#fleet.rollout.stable;
    return { exec, cwd, args, execArgv, env };
  }

  /** Why this primary cannot be replaced now; null if it can. */
  #upgradeObstacle(): string | null {
    if (PrimaryEnd.supervisors > 1) return 'it has more than one supervisor';
    if (inheritanceHere()?.isAlone === false) return 'the primary that it replaces has not left yet';
    if (this.#fleet.unfinished !== null) return `the command ${this.#fleet.unfinished} is not done`;
    return this.#fleet.desired === 0 ? 'it has no workers' : null;
  }

  /** The new primary has everything. */
  #left(): void {
    this.#signals.ignore();
    this.#end.nothingLeft(true);
    this.#emitLater('stopped');
  }

  /** The last worker is gone after a stop. */
  #stopped(): void {
    if (this.#replacing.isLeaving) return;
    this.#signals.ignore();
    if (this.#stopping?.by === 'signal') this.#signals.obeyLast();
    const { by, killed } = this.#stopping ?? { by: 'program', killed: false };
    this.#stopping = null;
    if (killed) this.#end.setCode(EXIT_KILLED);
    this.#end.nothingLeft(by !== 'program' && this.#options.signals);
    this.#emitLater('stopped');
  }

  /** Emits an event in a tick of its own. */
  #emitLater(...event: SupervisorEvent): void {
    process.nextTick(() => {
      showToObservers(this, event);
      const [name, ...args] = event;
      (this as EventEmitter).emit(name, ...args);
    });
  }

  /** `from`: null if the worker was just started. */
  #changed(member: Member, from: ProcessState | null): void {
    const { state } = member;
    if (state.is === 'leaving' && state.phase === 'killing' && this.#stopping?.now === false) this.#stopping.killed = true;
    this.#emitLater('transition', { ...nameOf(member), from, state: member.state, figures: member.figures, moved: member.moved });
  }

  /** A slot without a worker backs off, or is given up. */
  #vacant(slot: Slot, state: WorkerState): void {
    const from = slot.lastDead?.state ?? null;
    this.#emitLater('transition', { place: slot.number, worker: null, pid: null, generation: null, from, state, figures: null, moved: null });
  }

  /** Emits 'giveup' as soon as all output of the last worker has arrived. */
  async #gaveUp(slot: Slot, what: GivenUp, reason: string): Promise<void> {
    if (what === 'place' && this.#options.onGiveUp === 'stop') {
      if (!slot.isDone) this.#end.setCode(EXIT_GIVEN_UP);
      this.#stopping ??= { by: 'give up', now: false, killed: false };
    }
    this.#emitLater('giveup', await this.#giveUps.report(slot, what, reason));
  }
}
