/**
 * The steps by which the slots of a fleet converge on the desired state: workers are started, successors take over,
 * workers that are no longer wanted are told to leave. Each method does one step and returns; none calls the fleet.
 * Where a step has consequences for the whole fleet, it returns them.
 *
 * Used by  fleet.ts, which repeats the steps after each event until nothing is left to do
 * Uses     slots.ts (who is where), restart_policy.ts (may a worker be started now), rollout.ts (which release)
 * Never    touches a process: a Member does that
 * Keeps    1. a slot has at most one worker and one successor: one death is one replacement
 *          2. a worker that serves is told to leave only when its successor has stayed ready for `minReadyMs`
 *             (a canary: for `canaryMs`), or its slot is removed, or it has failed and its slot is given up, or a
 *             rollback begins and it is a successor beside a worker that serves
 *          3. the start after a death, and after a worker that is too old, is a restart. A start for a reload or for
 *             another command is not, and costs nothing
 */
import type { RestartPolicy, RestartRule } from './restart_policy';
import type { Rollout } from './rollout';
import { Occupant, type Retirement, type Slot } from './slot';
import type { Slots } from './slots';
import type { EpochClock } from '../clock';
import type { Generation, GivenUp, Member, WorkerState } from './states';

/** What the options of `supervise` decide about a fleet; times are in milliseconds. */
export interface FleetOptions {
  /** How long a new worker must stay ready before the one that it replaces leaves. */
  readonly minReadyMs: number;
  /** How long a canary must stay ready before any other worker is replaced. */
  readonly canaryMs: number;
  /** How many successors there may be at a time. Those of failed workers come on top. */
  readonly maxSurge: number;
  readonly onGiveUp: 'stop' | 'go on';
  readonly restarts: RestartRule;
  /** A worker that ends by itself with one of these codes is not restarted. */
  readonly stopExitCodes: readonly number[];
}

/** What a fleet works on. Fleet makes these objects and lends them to Convergence. */
export interface FleetParts {
  readonly slots: Slots;
  readonly restarts: RestartPolicy;
  readonly rollout: Rollout;
}

/** What the steps need from outside. */
export interface ConvergencePorts {
  readonly clock: EpochClock;
  /** Starts a worker. `onTrial`: it takes no connections before `serve`. Throws if no process could be started. */
  start(generation: Generation, slot: number, onTrial: boolean): Member;
  /** A slot without a worker is given up. */
  vacant(slot: Slot, state: WorkerState): void;
  /** A slot was given up (`place`), or only the recycling of its worker, which serves on (`recycling`). */
  gaveUp(slot: Slot, what: GivenUp, reason: string): void;
  /** A worker has been ready for long enough to be trusted: there may be a next step. */
  proven(): void;
}

/** What a step leaves to the fleet. `repeat`: something failed, and all steps have to be done again. */
export type StepResult =
  | { readonly is: 'done' }
  | { readonly is: 'repeat' }
  /** The slot was given up, or (`recycling`) the replacement of its worker, which a command had asked for. */
  | { readonly is: 'gave up'; readonly what: GivenUp; readonly reason: string };

const done: StepResult = { is: 'done' };

/** The steps of one fleet. */
export class Convergence {
  readonly #options: FleetOptions;
  readonly #slots: Slots;
  readonly #restarts: RestartPolicy;
  readonly #rollout: Rollout;
  readonly #ports: ConvergencePorts;
  #restarted = 0;

  constructor(options: FleetOptions, { slots, restarts, rollout }: FleetParts, ports: ConvergencePorts) {
    this.#options = options;
    this.#slots = slots;
    this.#restarts = restarts;
    this.#rollout = rollout;
    this.#ports = ports;
  }

  /** How many restarts there were in all slots, also in those that are removed. */
  get restarted(): number {
    return this.#restarted;
  }

  // ── steps ──────────────────────────────────────────────────────────────────────────────────────

  /** Adds or removes slots until there are `count`. The workers of a removed slot are told to leave. */
  resize(count: number): void {
    this.#slots.grow(count);
    for (let slot = this.#slots.shrink(count); slot !== undefined; slot = this.#slots.shrink(count)) {
      this.#restarts.remove(slot);
      const reason = count === 0 ? 'stopped' : 'scaled down';
      for (const occupant of [slot.current, slot.successor]) this.#dismiss(slot, occupant, reason);
    }
  }

  /** Starts the canary of a reload, if it is to be started: in an empty slot, or beside a worker that serves. */
  startCanary(): StepResult {
    const generation = this.#rollout.wantsCanary;
    const candidates = this.#slots.all.filter(({ successor }) => successor === null);
    const slot = candidates.find(({ current }) => current === null) ?? candidates[0];
    // If nobody else serves, the canary has to take connections though it is not proven yet.
    if (!this.#isServed) this.#rollout.canary?.member.serve();
    if (generation === null || slot === undefined) return done;
    try {
      const canary = this.#start(slot, generation, this.#isServed);
      slot.assign(canary, 'successor');
      this.#rollout.canaryStarted(canary);
      return done;
    } catch (error) {
      this.#rollout.abort(`the canary could not be started: ${String(error)}`);
      return { is: 'repeat' };
    }
  }

  /** Lets the successor in a slot take over, or starts the worker or the successor that is missing there. */
  fill(slot: Slot): StepResult {
    if (slot.successor !== null && this.#isProven(slot.successor)) this.#takeOver(slot, slot.successor);
    if (slot.current === null && slot.successor !== null && !this.#rollout.isCanary(slot.successor)) slot.promote();
    const missing = slot.current === null ? 'current' : slot.successor === null && this.#needsSuccessor(slot, slot.current) ? 'successor' : null;
    if (missing === null) return done;
    const isRestart = slot.nextStart.is === 'restart' || (missing === 'current' && slot.retries > 0);
    const answer = this.#restarts.mayStart(slot);
    if (answer.is === 'give up') return this.#giveUp(slot, answer.reason);
    if (answer.is === 'not yet') return done;
    if (isRestart) this.#countRestart(slot);
    try {
      slot.assign(this.#start(slot, this.#rollout.stable, false), missing);
      return done;
    } catch {
      // A start that fails counts as a death at once. If the cause stays, so does the failure, and 'giveup' reports it.
      this.#restarts.backOff(slot, 0);
      return { is: 'repeat' };
    }
  }

  #countRestart(slot: Slot): void {
    slot.countRestart();
    this.#restarted++;
  }

  #takeOver(slot: Slot, successor: Occupant): void {
    if (this.#rollout.isCanary(successor)) {
      this.#rollout.roll();
      successor.member.serve();
      for (const other of this.#slots.all) this.#restarts.reset(other);
    }
    const previous = slot.promote();
    slot.free();
    this.#dismiss(slot, previous, previous?.retirement?.reason ?? 'reload');
  }

  /** Is it time to start a successor of this worker? One that has failed does not wait until others are replaced. */
  #needsSuccessor(slot: Slot, { retirement, member }: Occupant): boolean {
    if (retirement?.kind === 'failed') return true;
    const successors = this.#slots.all.filter(({ successor }) => successor !== null).length;
    const mustGo = retirement !== null && !this.#restarts.isRecyclingPostponed(slot);
    return (mustGo || this.#rollout.isOutdated(member)) && successors < this.#options.maxSurge;
  }

  #start(slot: Slot, generation: Generation, onTrial: boolean): Occupant {
    const startedAt = this.#now();
    return new Occupant(this.#ports.start(generation, slot.number, onTrial), startedAt);
  }

  // ── what happens to workers ────────────────────────────────────────────────────────────────────

  /** A worker serves no more, and nobody told it to leave. `isCharged`: the start that replaces it is a restart. */
  lose(slot: Slot, occupant: Occupant, reason: string, isCharged = true): void {
    const isCanary = this.#rollout.isCanary(occupant);
    this.#remove(slot, occupant, reason, true);
    const { state } = occupant.member;
    if (isCanary) {
      return this.#rollout.abort(`the canary, worker ${occupant.member.id}, did not make it: ${reason}`, state.is === 'gone' ? occupant.member.stderr() : undefined);
    }
    // A successor that is starting already is the one replacement.
    const isReplaced = slot.successor !== null && !this.#rollout.isCanary(slot.successor);
    if (state.is === 'gone' && state.code !== null && this.#options.stopExitCodes.includes(state.code) && !isReplaced && slot.current === null) {
      return slot.finish(`worker ${occupant.member.id} exited with ${state.code}, which is one of stopExitCodes`);
    }
    if (slot.nextStart.is === 'free' && !isReplaced && isCharged) this.#restarts.backOff(slot, occupant.servedMs(this.#now()));
  }

  /** The current worker of a slot wants to be replaced: its successor is a restart, unless a reload replaces it anyway. */
  retire(slot: Slot, occupant: Occupant, retirement: Retirement): void {
    occupant.retire(retirement);
    if (slot.successor !== null && !this.#rollout.isCanary(slot.successor)) return;
    const servedMs = occupant.servedMs(this.#now());
    if (retirement.kind === 'failed') this.#restarts.backOff(slot, servedMs);
    else if (slot.nextStart.is === 'free' && !this.#restarts.isRecyclingPostponed(slot) && !this.#rollout.isOutdated(occupant.member)) {
      this.#restarts.recycle(slot, servedMs);
    }
  }

  /** A command asks for another worker in this slot. That is a new chance for the slot, and no restart. */
  recycle(slot: Slot): void {
    this.#restarts.reset(slot);
    if (slot.current !== null && slot.current.retirement === null) slot.current.retire({ kind: 'recycled', reason: 'is to be recycled' });
  }

  /** A rollback to `target` begins: successors of another generation do not take over any more. */
  dropSuccessors(target: Generation): void {
    for (const slot of this.#slots.all) {
      const { successor, current } = slot;
      if (successor === null || successor.member.generation === target) continue;
      const isAlone = current === null && successor.readyAt !== null && !this.#isServed;
      if (!isAlone) {
        this.#dismiss(slot, successor, 'rolled back');
        continue;
      }
      // Nobody else serves. It stays as the current worker, until it is replaced.
      slot.promote();
      successor.member.serve();
    }
  }

  #giveUp(slot: Slot, why: string): StepResult {
    const reason = `place ${slot.number} is given up: ${why}`;
    if (this.#rollout.is === 'rolling') this.#rollout.abort(reason, slot.lastDead?.stderr());
    const { current } = slot;
    if (current !== null && current.retirement?.kind !== 'failed') {
      // Only the replacement of the current worker is given up. It serves on.
      slot.free();
      if (current.retirement === null) return done;
      const { kind, reason: asked } = current.retirement;
      const kept = `worker ${current.member.id} ${asked}, and is not replaced: ${why}`;
      // The command fails, and is not carried out later.
      if (kind === 'recycled') current.retire(null);
      else this.#restarts.postponeRecycling(slot);
      this.#ports.gaveUp(slot, 'recycling', kept);
      return kind === 'recycled' ? { is: 'gave up', what: 'recycling', reason: kept } : done;
    }
    // A worker that has failed must go, also without a replacement.
    this.#dismiss(slot, current, current?.retirement?.reason ?? '');
    const hasHope = this.#slots.all.some((other) => other !== slot && other.nextStart.is !== 'given up');
    this.#restarts.giveUp(slot, hasHope && this.#options.onGiveUp === 'go on');
    const state = this.#restarts.vacancy(slot);
    if (state !== null) this.#ports.vacant(slot, state);
    this.#ports.gaveUp(slot, 'place', reason);
    return { is: 'gave up', what: 'place', reason };
  }

  // ── proof ──────────────────────────────────────────────────────────────────────────────────────

  /** A worker became ready: waits until it has stayed so for long enough. */
  awaitProof(occupant: Occupant): void {
    const proofMs = this.#proofMs(occupant);
    if (proofMs > 0) occupant.awaitProof(this.#ports.clock.after(proofMs, () => this.#ports.proven()));
  }

  #proofMs(occupant: Occupant): number {
    const { minReadyMs, canaryMs } = this.#options;
    return this.#rollout.isCanary(occupant) ? Math.max(canaryMs, minReadyMs) : minReadyMs;
  }

  #isProven(occupant: Occupant): boolean {
    return occupant.readyAt !== null && this.#now() - occupant.readyAt >= this.#proofMs(occupant);
  }

  // ── helpers ────────────────────────────────────────────────────────────────────────────────────

  get #isServed(): boolean {
    return this.#slots.all.some((slot) => slot.isServed);
  }

  /** Takes a worker out of its slot and tells it to leave. */
  #dismiss(slot: Slot, occupant: Occupant | null, reason: string): void {
    if (occupant === null) return;
    this.#remove(slot, occupant, reason, false);
    occupant.member.leave(reason, false);
  }

  #remove(slot: Slot, occupant: Occupant, reason: string, died: boolean): void {
    // A canary whose slot is removed has proven nothing: the reload starts another one.
    if (!died && this.#rollout.isCanary(occupant)) this.#rollout.canaryDismissed();
    this.#slots.remove({ slot, occupant, at: this.#now(), died, reason });
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
