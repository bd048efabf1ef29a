/**
 * The scheduler of one address: the workers that listen there (its candidates), how many connections are
 * in flight to each, and the rule that chooses among them.
 *
 * Used by  hand_off_queue.ts, which asks it for each connection and does what it answers
 * Uses     scheduling.ts, the rules; peer.ts, for the outcomes of a hand-off
 * Keeps    a worker is a candidate exactly from `add` to `remove`. Its index is the lowest free one, so that
 *          under `sticky` the worker that replaces another one gets the same clients
 */
import { Number, performance } from '../builtins';
import type { NativeHandle } from '../native/bindings';
import type { Outcome } from './peer';
import { isYoung, ruleFor, type Candidate, type NamedRule, type Scheduling } from './scheduling';

/** The candidates of one address, and the rule that chooses among them. */
export class Scheduler<Worker> {
  readonly #candidates: Candidate<Worker>[] = [];
  readonly #rule: NamedRule;
  #picks = 0;
  /** When any worker last acknowledged something; milliseconds of `performance.now()`. */
  #lastAnswer = 0;

  /** `scheduling`: as checked by `isScheduling`. */
  constructor(scheduling: Scheduling = 'round-robin') {
    this.#rule = ruleFor(scheduling);
  }

  get size(): number {
    return this.#candidates.length;
  }

  /** Does the rule depend on how many connections workers have open? */
  get counts(): boolean {
    return this.#rule.counts;
  }

  every(test: (candidate: Candidate<Worker>) => boolean): boolean {
    return this.#candidates.every(test);
  }

  has(worker: Worker): boolean {
    return this.#candidates.some((one) => one.worker === worker);
  }

  /** A worker listens from now on; all others have their turn before it. `window`: WINDOW, or 1 for a stock worker. `reportsSeldom`: see Candidate. */
  add(worker: Worker, id: number, window: number, weight = 1, reportsSeldom = false): void {
    let index = 0;
    while (this.#candidates.some((one) => one.index === index)) index++;
    this.#candidates.push({ worker, id, window, weight, index, inFlight: 0, open: 0, reportsSeldom, aliveAt: 0, acknowledgedIn: Number.NEGATIVE_INFINITY, rejectedAt: -1, pick: ++this.#picks, retired: false });
  }

  /** The worker listens no more. False if it was no candidate. */
  remove(worker: Worker): boolean {
    const at = this.#candidates.findIndex((one) => one.worker === worker);
    if (at === -1) return false;
    this.#candidates.splice(at, 1);
    return true;
  }

  /** All candidates, for rebalancing. A list that changes. */
  get candidates(): readonly Candidate<Worker>[] {
    return this.#candidates;
  }

  /** The worker has given one of its open connections back. */
  returned(worker: Worker): void {
    const candidate = this.#candidates.find((one) => one.worker === worker);
    if (candidate !== undefined && candidate.open > 0) candidate.open--;
  }

  /** The worker has reported how many connections it has open. */
  report(worker: Worker, open: number): void {
    const candidate = this.#candidates.find((one) => one.worker === worker);
    if (candidate !== undefined) candidate.open = open;
  }

  /** Must this worker keep its connections: nobody else could get them, or the rule gives a client to one worker for good? */
  mustKeep(worker: Worker): boolean {
    return this.has(worker) && (this.#rule.sticks === true || this.#candidates.every((one) => one.worker === worker || one.retired));
  }

  /**
   * Chooses who gets this connection, and counts it as in flight to that one; null while nobody may have it. `giver` has
   * given the connection back: it gets it again only if no other worker has room, and all of them have been silent for a
   * while.
   */
  next(connection: NativeHandle, giver: Worker | null = null): Candidate<Worker> | null {
    const chosen = this.#choose(connection, giver);
    if (chosen !== null) this.given(chosen);
    return chosen;
  }

  /** One more connection is in flight to this candidate. */
  given(candidate: Candidate<Worker>): void {
    if (candidate.inFlight++ === 0) candidate.aliveAt = performance.now();
    candidate.pick = ++this.#picks;
  }

  #choose(connection: NativeHandle, giver: Worker | null): Candidate<Worker> | null {
    if (giver === null) return this.#rule.choose(this.#candidates, connection, this.#lastAnswer);
    // A rule that counts nothing would give returned connections to workers that have many already.
    const rule = this.#rule.counts || this.#rule.sticks === true ? this.#rule : ruleFor('least-connections');
    const choose = (): Candidate<Worker> | null => rule.choose(this.#candidates, connection, this.#lastAnswer);
    const own = this.#candidates.find(({ worker, retired }) => worker === giver && !retired);
    if (own === undefined) return choose();
    own.retired = true; // No rule chooses a retired candidate.
    try {
      const other = choose();
      if (other !== null || this.#candidates.some((one) => one !== own && isYoung(one))) return other;
    } finally {
      own.retired = false;
    }
    return choose();
  }

  /** A connection is in flight no more. A worker that has accepted or rejected it is alive. */
  ended(candidate: Candidate<Worker>, outcome: Outcome): void {
    candidate.inFlight--;
    if (outcome === 'accepted' && candidate.reportsSeldom) candidate.open++;
    if (outcome !== 'accepted' && outcome !== 'rejected') return;
    candidate.aliveAt = this.#lastAnswer = performance.now();
    candidate.acknowledgedIn = performance.turn();
    candidate.rejectedAt = outcome === 'rejected' ? candidate.aliveAt : -1;
  }
}
