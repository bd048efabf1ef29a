/**
 * The guard: when a worker that died may be started again. Restart intensity and back-off are one
 * rule, decided here and nowhere else.
 *
 *   death ──► `died`: how long to wait        streak 1: not at all; then minDelay, doubled each time
 *                                             up to maxDelay, each time more or less by `jitter`
 *         ──► `ask`, when that has passed     fewer than `max` restarts in the last `withinMs`: start
 *                                             else, after a worker that lived long: wait for room
 *                                             else: give up
 *
 * Owns     the times of the restarts in the window, and the streak of each place
 * Used by  fleet.ts
 * Never    reads a clock or starts a timer: every time is passed in
 * Keeps    1. no window of `withinMs` has more than `max` restarts in it, whatever is asked and when
 *          2. a worker that lived for `healthyMs` ends the streak of its place
 */

/** The rule's numbers; see `SuperviseOptions.restarts`. */
export interface GuardRule {
  readonly max: number;
  readonly withinMs: number;
  readonly healthyMs: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly jitter: number;
}

/** What the guard says to a restart. */
export type Verdict =
  | { readonly is: 'start' }
  | { readonly is: 'wait'; readonly until: number }
  | { readonly is: 'give up' };

/** The rule, applied to all places of one fleet. */
export class Guard {
  readonly #rule: GuardRule;
  readonly #random: () => number;
  /** The times of the last restarts, oldest first; no more than `max`. */
  #restarts: number[] = [];
  readonly #streaks = new Map<number, number>();

  /** `random` gives numbers from 0 to 1. */
  constructor(rule: GuardRule, random: () => number) {
    this.#rule = rule;
    this.#random = random;
  }

  /** The worker of a place died after it had served for `servedMs`. In how many ms may the next one be asked for? */
  died(place: number, servedMs: number): number {
    const { healthyMs, minDelayMs, maxDelayMs, jitter } = this.#rule;
    const streak = servedMs >= healthyMs ? 1 : this.failures(place) + 1;
    this.#streaks.set(place, streak);
    if (streak === 1) return 0;
    const delay = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(streak - 2, 30));
    return delay * (1 + jitter * (2 * this.#random() - 1));
  }

  /** May a worker that had served for `servedMs` be restarted now? `start` counts as a restart. */
  ask(now: number, servedMs: number): Verdict {
    const { max, withinMs, healthyMs } = this.#rule;
    const oldest = this.#restarts[this.#restarts.length - max];
    if (oldest !== undefined && now < oldest + withinMs) {
      return servedMs >= healthyMs ? { is: 'wait', until: oldest + withinMs } : { is: 'give up' };
    }
    this.#restarts = [...this.#restarts, now].slice(-max);
    return { is: 'start' };
  }

  /** How many workers of this place in a row have died young. */
  failures(place: number): number {
    return this.#streaks.get(place) ?? 0;
  }

  /** What was, is forgiven: somebody wants this place to be tried again. The window stays. */
  forgive(place: number): void {
    this.#streaks.delete(place);
  }
}
