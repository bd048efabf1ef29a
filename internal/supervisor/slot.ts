/**
 * One slot of a fleet: the position of one desired worker. It holds the worker that serves (its current occupant) and,
 * while that one is being replaced, its successor. It also remembers what decides when the next worker may start.
 *
 * Owns     who is in the slot, its next start, and the functions that cancel its timers (restart_policy.ts starts them).
 *          The fields of Slot and Occupant are written only here: other files call the methods
 * Used by  slots.ts, fleet.ts, convergence.ts, restart_policy.ts, supervisor.ts; rollout.ts (types)
 * Never    decides anything: convergence.ts decides who is in the slot, restart_policy.ts when the next worker may start
 * Keeps    a slot has at most one timer for its next start and one for recycling; a new one cancels the old one
 */
import type { Exit, Member } from './states';

/**
 * Why a worker is to be replaced, though it serves. `failed`: something is wrong with it. `too old`: it has reached a
 * limit of recycling. `recycled`: a command asked for it.
 */
export interface Retirement {
  readonly reason: string;
  readonly kind: 'failed' | 'too old' | 'recycled';
}

/** A worker in a slot, with what the fleet knows about it. Times are those of the fleet's clock, in milliseconds. */
export class Occupant {
  readonly member: Member;
  readonly startedAt: number;
  #readyAt: number | null = null;
  #retirement: Retirement | null = null;
  #cancelProof: () => void = () => undefined;

  constructor(member: Member, startedAt: number) {
    this.member = member;
    this.startedAt = startedAt;
  }

  /** null until it is ready. */
  get readyAt(): number | null {
    return this.#readyAt;
  }

  /** null while nobody has asked for its replacement. */
  get retirement(): Retirement | null {
    return this.#retirement;
  }

  becameReady(now: number): void {
    this.#readyAt = now;
  }

  /** null: it serves on after all. */
  retire(retirement: Retirement | null): void {
    this.#retirement = retirement;
  }

  /** It has become ready, and must stay so for a while before it is trusted. `cancel` cancels the timer of that. */
  awaitProof(cancel: () => void): void {
    this.#cancelProof = cancel;
  }

  /** It has left its slot, so the timer of `awaitProof` is cancelled. */
  left(): void {
    this.#cancelProof();
  }

  /** For how many milliseconds it has been ready; 0 if it never was. */
  servedMs(now: number): number {
    return this.#readyAt === null ? 0 : now - this.#readyAt;
  }
}

/** When the next worker may be started in a slot. */
export type NextStart =
  /** At any time, and it is not charged to the restart budget. */
  | { readonly is: 'free' }
  /** From `notBefore` on, if the restart budget allows it. `servedMs`: for how many milliseconds the previous worker had served. */
  | { readonly is: 'restart'; readonly since: number; readonly notBefore: number; readonly servedMs: number }
  /** Never again: the worker has ended with a code that says so (`reason`). The slot is about to be given up. */
  | { readonly is: 'done'; readonly reason: string }
  /** At `retryAt`; null: when a command asks for it. `isDone`: its worker wanted it so. */
  | { readonly is: 'given up'; readonly since: number; readonly retryAt: number | null; readonly isDone: boolean };

/** Recycling in a slot is postponed, because its workers reached their limits too early. */
export interface Postponement {
  /** How many times in a row it was postponed. */
  readonly times: number;
  readonly until: number;
}

/** How many ends of processes a slot remembers: what a person reads in 'giveup' to see a pattern. */
const MOST_EXITS = 5;

const nothing = (): void => undefined;

/** One slot. */
export class Slot {
  readonly number: number;
  #current: Occupant | null = null;
  #successor: Occupant | null = null;
  #nextStart: NextStart = { is: 'free' };
  #cancelNextStart = nothing;
  #retries = 0;
  #young = 0;
  #postponement: Postponement | null = null;
  #cancelPostponement = nothing;
  #restarts = 0;
  #exits: readonly Exit[] = [];
  #lastDead: Member | null = null;

  constructor(number: number) {
    this.number = number;
  }

  /** The worker that serves here, or will as soon as it is ready. */
  get current(): Occupant | null {
    return this.#current;
  }

  /** The worker that will replace the current one. */
  get successor(): Occupant | null {
    return this.#successor;
  }

  get nextStart(): NextStart {
    return this.#nextStart;
  }

  /** How many times in a row this slot was given up. */
  get retries(): number {
    return this.#retries;
  }

  /** How many workers were started here because one had died, failed or was too old. */
  get restarts(): number {
    return this.#restarts;
  }

  /** How many workers in a row became too old here before they had served for `healthyMs`. */
  get young(): number {
    return this.#young;
  }

  /** null: a worker that is too old is replaced at once. */
  get postponement(): Postponement | null {
    return this.#postponement;
  }

  /** The last ends of processes here, newest last. */
  get exits(): readonly Exit[] {
    return this.#exits;
  }

  /** The last worker that died here. */
  get lastDead(): Member | null {
    return this.#lastDead;
  }

  /** Is it given up because its worker wanted no other one to be started? */
  get isDone(): boolean {
    return this.#nextStart.is === 'given up' && this.#nextStart.isDone;
  }

  /** Does a worker serve here? */
  get isServed(): boolean {
    return this.#current !== null && this.#current.readyAt !== null;
  }

  // ── who is here ────────────────────────────────────────────────────────────────────────────────

  /** A worker was started: the current one of an empty slot, or the successor of the current one. */
  assign(occupant: Occupant, as: 'current' | 'successor'): void {
    if (as === 'current') this.#current = occupant;
    else this.#successor = occupant;
  }

  /** The successor becomes the current one. The previous one, which is returned, is still to be removed by `Slots.remove`. */
  promote(): Occupant | null {
    const previous = this.#current;
    this.#current = this.#successor;
    this.#successor = null;
    return previous;
  }

  /** A worker is not in this slot any more, if it was. */
  vacate(occupant: Occupant, died: boolean): void {
    if (this.#current === occupant) this.#current = null;
    if (this.#successor === occupant) this.#successor = null;
    if (died) this.#lastDead = occupant.member;
  }

  /** The process of a worker that died here has ended. */
  recordExit(exit: Exit): void {
    this.#exits = [...this.#exits, exit].slice(-MOST_EXITS);
  }

  // ── the next start ─────────────────────────────────────────────────────────────────────────────

  /** The next start may happen at any time, and is not charged. */
  free(): void {
    this.#setNextStart({ is: 'free' });
  }

  /** The next start is a restart. `cancel` cancels the timer that ends at `notBefore`. */
  backOff(since: number, notBefore: number, servedMs: number, cancel: () => void): void {
    this.#setNextStart({ is: 'restart', since, notBefore, servedMs }, cancel);
  }

  /** The worker that ended here wants no other one to be started; `reason` says so. */
  finish(reason: string): void {
    this.#setNextStart({ is: 'done', reason });
  }

  /** Nobody is started here until `retryAt`, or a command if that is null. `cancel` cancels the timer of `retryAt`. */
  giveUp(since: number, retryAt: number | null, cancel: () => void): void {
    this.#retries++;
    this.#setNextStart({ is: 'given up', since, retryAt, isDone: this.#nextStart.is === 'done' }, cancel);
  }

  /** A slot that is given up waits for a command from now on. */
  stopRetrying(): void {
    if (this.#nextStart.is === 'given up') this.#setNextStart({ ...this.#nextStart, retryAt: null });
  }

  countRestart(): void {
    this.#restarts++;
  }

  resetRetries(): void {
    this.#retries = 0;
  }

  #setNextStart(next: NextStart, cancel = nothing): void {
    this.#cancelNextStart();
    this.#nextStart = next;
    this.#cancelNextStart = cancel;
  }

  // ── recycling ──────────────────────────────────────────────────────────────────────────────────

  /** A worker is too old. It counts as young until RestartPolicy finds that it had served for `healthyMs`. */
  countYoung(): void {
    this.#young++;
  }

  resetYoung(): void {
    this.#young = 0;
  }

  /** Its worker is not recycled before `until`. `cancel` cancels the timer of that moment. */
  postponeRecycling(until: number, cancel: () => void): void {
    this.#cancelPostponement();
    this.#postponement = { times: (this.#postponement?.times ?? 0) + 1, until };
    this.#cancelPostponement = cancel;
  }

  /** A worker that is too old is replaced at once again. */
  allowRecycling(): void {
    this.#cancelPostponement();
    this.#postponement = null;
    this.#cancelPostponement = nothing;
  }
}
