/**
 * The scheduler of one address: the workers that listen there (its candidates), how many connections are
 * in flight to each, and the rule that chooses among them.
 *
 * Used by  round_robin_handle.ts, which asks it for each connection and does what it answers
 * Uses     scheduling.ts, the rules
 * Keeps    a worker is a candidate exactly from `add` to `remove`. Its index is the lowest free one, so that
 *          under `sticky` the worker that replaces another one gets the same clients
 */
import { Number, performance } from '../builtins';
import type { NativeHandle } from '../native/bindings';
import { ruleFor, type Candidate, type NamedRule, type Scheduling } from './scheduling';

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

  /** A worker listens from now on; all others have their turn before it. `window`: WINDOW, or 1 for a stock worker. */
  add(worker: Worker, id: number, window: number, weight = 1): void {
    let index = 0;
    while (this.#candidates.some((one) => one.index === index)) index++;
    this.#candidates.push({ worker, id, window, weight, index, inFlight: 0, open: 0, aliveAt: 0, acknowledgedIn: Number.NEGATIVE_INFINITY, pick: ++this.#picks, retired: false });
  }

  /** The worker listens no more. False if it was no candidate. */
  remove(worker: Worker): boolean {
    const at = this.#candidates.findIndex((one) => one.worker === worker);
    if (at === -1) return false;
    this.#candidates.splice(at, 1);
    return true;
  }

  /** The worker has reported how many connections it has open. */
  report(worker: Worker, open: number): void {
    const candidate = this.#candidates.find((one) => one.worker === worker);
    if (candidate !== undefined) candidate.open = open;
  }

  /** Chooses who gets this connection, and counts it as in flight to that one; null while nobody may have it. */
  next(connection: NativeHandle): Candidate<Worker> | null {
    const chosen = this.#rule.choose(this.#candidates, connection, this.#lastAnswer);
    if (chosen === null) return null;
    if (chosen.inFlight++ === 0) chosen.aliveAt = performance.now();
    chosen.pick = ++this.#picks;
    return chosen;
  }

  /** A connection is in flight no more. `acknowledged`: by the worker, which is alive then. */
  ended(candidate: Candidate<Worker>, acknowledged: boolean): void {
    candidate.inFlight--;
    if (!acknowledged) return;
    candidate.aliveAt = this.#lastAnswer = performance.now();
    candidate.acknowledgedIn = performance.turn();
  }
}
