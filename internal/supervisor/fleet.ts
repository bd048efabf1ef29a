/**
 * The fleet: keeps the desired number of workers running, all of the release that was loaded last.
 *
 * The desired state (how many workers, of which release) is data. A command (`scale`, `reload`, …) changes that
 * data and returns a promise; the latest command wins. After each command, and after each event of a worker or timer,
 * `#step` compares the desired state with the slots and does what is missing, until nothing is left to do. So
 * commands may come in any order and at any moment.
 *
 *   scale, reload, rollback, recycle, stop ──► desired state ─┐
 *   a worker is ready, lost, too old, gone ──► slots ─────────┼──► #step ──► start a worker, tell one to leave,
 *   a timer: a back-off is over, a canary is proven ──────────┘              give a slot up, resolve a promise
 *
 * A slot is the position of one desired worker: fleet of 4 workers, 4 slots. Besides its current worker it can hold
 * the successor that is about to replace it.
 *
 * Owns     the desired count, the slots, the running reload and the open promises. Only one `#step` runs at a time
 * Used by  supervisor.ts; tests pass workers and a clock of their own
 * Uses     convergence.ts (the steps), rollout.ts (which release), restart_policy.ts (when a restart is allowed),
 *          tasks.ts and recycle_commands.ts (promises). None of them calls this file, except when one of their timers fires
 * Keeps    a command's promise is settled as soon as its goal is reached or cannot be reached any more
 */
import { Convergence, type ConvergencePorts, type FleetOptions } from './convergence';
import { noChange, type Recipe, type ReleaseChange } from './recipe';
import { RecycleCommands } from './recycle_commands';
import type { RestartHistory } from './restart_history';
import { RestartPolicy } from './restart_policy';
import { Rollout, type ReloadState } from './rollout';
import type { Slot } from './slot';
import { Slots } from './slots';
import type { Command, Fate, Generation, GivenUp, Member, MemberEvents, Report, WorkerState } from './states';
import { Tasks } from './tasks';

/** What the fleet needs from outside. */
export interface FleetPorts extends Omit<ConvergencePorts, 'start' | 'proven'> {
  /** Returns numbers from 0 to 1. */
  readonly random: () => number;
  /** Finds the first release. */
  readonly recipe: Recipe;
  /** Starts a worker that reports to `events`. Throws if no process could be started. */
  start(generation: Generation, slot: number, events: MemberEvents, onTrial: boolean): Member;
  /** Every slot is given up, and no process runs any more. `isDone`: in each slot because its worker wanted it so (`stopExitCodes`). */
  exhausted(isDone: boolean): void;
  /** No workers are desired, and no process runs any more. */
  stopped(): void;
  /** A reload changed its state. */
  reloading(state: ReloadState, generation: Generation, reason: string): void;
}

/** One fleet. */
export class Fleet implements MemberEvents {
  readonly slots = new Slots();
  readonly rollout: Rollout;
  readonly #options: FleetOptions;
  readonly #ports: FleetPorts;
  readonly #restarts: RestartPolicy;
  readonly #convergence: Convergence;
  readonly #tasks = new Tasks();
  readonly #recycling = new RecycleCommands(this.slots);
  #desired = 0;
  /** Does `#step` run? `repeat`: something changed meanwhile, so it runs once more. */
  #stepping: 'no' | 'yes' | 'repeat' = 'no';
  #isExhausted = false;
  /** The restarts of the primary before this one; null if there was none. */
  #earlier: RestartHistory | null = null;

  constructor(options: FleetOptions, ports: FleetPorts) {
    this.#options = options;
    this.#ports = ports;
    const { clock, random } = ports;
    this.rollout = new Rollout(ports.recipe, (...change) => ports.reloading(...change));
    this.#restarts = new RestartPolicy(options.restarts, {
      clock, random, due: () => this.#step(), vacant: (slot, state) => ports.vacant(slot, state),
    });
    this.#convergence = new Convergence(options, { slots: this.slots, restarts: this.#restarts, rollout: this.rollout }, {
      clock,
      start: (generation, slot, onTrial) => ports.start(generation, slot, this, onTrial),
      proven: () => this.#step(),
      vacant: (slot, state) => ports.vacant(slot, state),
      gaveUp: (slot, what, reason) => ports.gaveUp(slot, what, reason),
    });
  }

  // ── commands ───────────────────────────────────────────────────────────────────────────────────

  /** The public state of a slot without a worker; null if a worker is about to be started there. */
  vacancy(slot: Slot): WorkerState | null {
    return this.#restarts.vacancy(slot);
  }

  /** How many restarts there were since the fleet was made, and in the primaries before this one. */
  get restarted(): number {
    return this.#convergence.restarted + (this.#earlier?.restarted ?? 0);
  }

  /** The restarts, for the primary that replaces this one. */
  get restartHistory(): RestartHistory {
    return { ...this.#restarts.budget.snapshot(), restarted: this.restarted };
  }

  /** This primary has replaced another one, which had these restarts. Only the first call has an effect. */
  adopt(history: RestartHistory): void {
    if (this.#earlier !== null) return;
    this.#earlier = history;
    this.#restarts.budget.adopt(history);
  }

  /** How many workers are desired; 0 after `stop`. */
  get desired(): number {
    return this.#desired;
  }

  /** A command that has not reached its goal yet; null if there is none. */
  get unfinished(): Command | null {
    return this.#tasks.open('start', 'scale', 'reload', 'rollback', 'recycle', 'stop')[0]?.command ?? (this.rollout.is === 'idle' ? null : 'reload');
  }

  /**
   * Desires `count` workers, also after a stop. Throws if the script does not exist; nothing has changed then.
   * Otherwise `begins` is called before anything else changes.
   */
  scale(count: number, command: 'start' | 'scale' = 'scale', begins = (): void => undefined): Promise<Report> {
    if (this.#desired === 0) this.rollout.renew();
    begins();
    for (const task of this.#tasks.open('start', 'scale', 'stop')) task.end('superseded');
    this.#desired = count;
    for (const slot of this.slots.all) this.#restarts.reset(slot);
    const task = this.#tasks.begin(command);
    this.#step();
    return task.promise;
  }

  /** Replaces all workers by workers of the release as of now, with what `change` gives. While a reload runs, the next one waits for its end. */
  reload(change: ReleaseChange = noChange): Promise<Report> {
    const begin = () => this.#tasks.begin('reload');
    const task = this.rollout.queueBehind(change, begin) ?? begin();
    if (this.rollout.is === 'idle') this.rollout.begin(task, change);
    this.#step();
    return task.promise;
  }

  /** Replaces all workers by workers of an earlier generation; see rollout.ts. */
  rollback(): Promise<Report> {
    const running = this.rollout.rollingBack;
    if (running !== null) {
      this.rollout.forgetNext();
      return running.promise;
    }
    const task = this.#tasks.begin('rollback');
    const interrupts = this.rollout.is !== 'idle';
    const target = this.rollout.rollBack(task);
    if (target !== null && interrupts) this.#convergence.dropSuccessors(target);
    // If workers of that generation serve already, they prove more than a canary could.
    if (this.slots.all.some((slot) => slot.isServed && slot.current?.member.generation === target)) this.rollout.roll();
    this.#step();
    return task.promise;
  }

  /** Replaces the worker in this place, or in all places, one after another. */
  recycle(place: number | null): Promise<Report> {
    const task = this.#tasks.begin('recycle');
    const slots = this.slots.all.filter(({ number }) => place === null || number === place);
    this.#recycling.add(task, slots);
    for (const slot of slots) this.#convergence.recycle(slot);
    this.#step();
    return task.promise;
  }

  /** Desires no workers. */
  stop(): Promise<Report> {
    for (const task of this.#tasks.open('start', 'scale')) task.end('superseded');
    this.#recycling.supersede();
    this.rollout.supersede('stopped');
    this.#desired = 0;
    const task = this.#tasks.open('stop')[0] ?? this.#tasks.begin('stop');
    this.#step();
    return task.promise;
  }

  // ── events of workers ──────────────────────────────────────────────────────────────────────────

  ready(member: Member): void {
    const [slot, occupant] = this.slots.find(member);
    if (slot === null) return;
    const now = this.#now();
    occupant.becameReady(now);
    this.#note(member, slot, 'ready', '', now - occupant.startedAt);
    this.#convergence.awaitProof(occupant);
    this.#step();
  }

  retiring(member: Member, reason: string, failed: boolean): void {
    const [slot, occupant] = this.slots.find(member);
    if (slot === null) return;
    if (slot.successor === occupant) {
      if (!failed) return;
      // A successor that fails is no successor. The worker that it should replace serves on.
      this.#convergence.lose(slot, occupant, reason);
      member.leave(reason, false);
    } else if (occupant.retirement === null || (failed && occupant.retirement.kind !== 'failed')) {
      this.#convergence.retire(slot, occupant, { reason, kind: failed ? 'failed' : 'too old' });
    }
    this.#step();
  }

  lost(member: Member, reason: string): void {
    const [slot, occupant] = this.slots.find(member);
    if (slot === null) return;
    this.#convergence.lose(slot, occupant, reason);
    this.#step();
  }

  ended(member: Member): void {
    const [slot, occupant] = this.slots.find(member);
    if (slot !== null) {
      const { reason, signal } = member.state.is === 'gone' ? member.state : { reason: 'ended', signal: null };
      // A SIGHUP that was sent to the whole process group (a reload) ends a worker that has not yet begun to ignore it
      // (worker/group_signals.ts). The worker is not to blame, so its restart is not charged.
      const isCharged = signal !== 'SIGHUP' || occupant.readyAt !== null;
      this.#convergence.lose(slot, occupant, reason, isCharged);
    }
    const departure = this.slots.forget(member);
    if (departure === undefined) return;
    const { died, at, reason } = departure;
    const since = died ? departure.occupant.readyAt ?? departure.occupant.startedAt : at;
    this.#note(member, departure.slot, died ? 'died' : 'left', reason, this.#now() - since);
    this.#step();
  }

  // ── steps ──────────────────────────────────────────────────────────────────────────────────────

  /**
   * Does what is missing between the desired state and the slots. The program's code runs inside of it (a fork reads
   * its settings, for example) and may call a command. That call only changes the desired state; this loop does the rest.
   */
  #step(): void {
    if (this.#stepping !== 'no') return this.#repeat();
    try {
      do {
        this.#stepping = 'yes';
        this.#convergence.resize(this.#desired);
        if (this.#convergence.startCanary().is === 'repeat') this.#repeat();
        for (const slot of [...this.slots.all]) {
          const result = this.#convergence.fill(slot);
          if (result.is === 'repeat') this.#repeat();
          if (result.is === 'gave up') this.#gaveUp(slot, result.what, result.reason);
        }
        this.#finish();
      } while (this.#isRepeated);
    } finally {
      // If the program's code throws, the next event continues from the slots as they are.
      this.#stepping = 'no';
    }
  }

  #repeat(): void {
    this.#stepping = 'repeat';
  }

  get #isRepeated(): boolean {
    return this.#stepping === 'repeat';
  }

  /** Settles the promises whose goal is reached, and reports a fleet that is stopped or given up as a whole. */
  #finish(): void {
    const { all, departing } = this.slots;
    const isServed = all.every((slot) => slot.isServed);
    this.#finishReload(isServed);
    this.#recycling.finish();
    if (isServed && this.#desired > 0 && !departing.some(({ reason }) => reason === 'scaled down')) {
      for (const task of this.#tasks.open('start', 'scale')) task.end('done');
    }
    const isExhausted = all.length > 0 && departing.length === 0
      && all.every(({ nextStart, current, successor }) => nextStart.is === 'given up' && current === null && successor === null);
    if (isExhausted && !this.#isExhausted) {
      for (const slot of all) slot.stopRetrying();
      this.#ports.exhausted(all.every((slot) => slot.isDone));
    }
    this.#isExhausted = isExhausted;
    const [stopping] = this.#tasks.open('stop');
    if (all.length === 0 && departing.length === 0 && stopping !== undefined) {
      stopping.end('done');
      this.#ports.stopped();
    }
  }

  /** `isServed`: every slot has a worker that is ready. */
  #finishReload(isServed: boolean): void {
    const { all } = this.slots;
    const isOld = (slot: Slot): boolean => slot.successor !== null || slot.current === null || this.rollout.isOutdated(slot.current.member);
    if (this.rollout.is === 'rolling' && isServed && !all.some(isOld) && !this.slots.hasOther(this.rollout.stable)) {
      this.rollout.done();
      this.#repeat();
    } else if (this.rollout.is === 'canary' && this.#desired === 0) {
      // There is no worker to replace. Workers that are started later run the new release anyway.
      this.rollout.roll();
      this.#repeat();
    }
  }

  /** A slot was given up, or the replacement of its worker that a command had asked for. */
  #gaveUp(slot: Slot, what: GivenUp, reason: string): void {
    this.#recycling.gaveUp(slot, reason);
    if (what === 'recycling') return;
    for (const task of this.#tasks.open('start', 'scale')) task.fail('ERR_GIVEN_UP', reason, slot.lastDead?.stderr());
    if (this.#options.onGiveUp === 'stop') void this.stop();
  }

  /** Adds what became of a worker to the reports of all open commands. */
  #note({ id, pid, generation, state }: Member, { number: place }: Slot, became: Fate['became'], reason: string, ms: number): void {
    const { code, signal } = state.is === 'gone' ? state : { code: null, signal: null };
    this.#tasks.note({ worker: id, pid, place, generation: generation.number, became, reason, code, signal, ms: Math.round(ms) });
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
