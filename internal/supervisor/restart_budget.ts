/**
 * The guard: when a worker that died, or that is to be recycled, may be started again. Restart intensity
 * and back-off are one rule, decided here and nowhere else.
 *
 *   death ──► `died`: how long to wait        streak 1: not at all; then minDelay, doubled each time
 *                                             up to maxDelay, each time more or less by `jitter`
 *         ──► `ask`, when that has passed     its place has had `max` restarts in the last `withinMs`, or
 *                                             all places together `maxAll`, and it one of them:
 *                                               after a worker that lived long: wait for room
 *                                               else: give up
 *                                             else: start
 *
 * Two budgets: that of the place stops a worker that dies again and again; that of all stops a storm. A
 * place that had no restart in the window may always have one, so no place pays for what others did.
 *
 * Owns     the times of the restarts in the window, and the streak of each place
 * Used by  restart_policy.ts
 * Never    reads a clock or starts a timer: every time is passed in
 * Keeps    1. no window of `withinMs` has more than `max` restarts of one place in it, nor more than
 *             `maxAll` and one for each place, whatever is asked and when
 *          2. a worker that lived for `healthyMs` ends the streak of its place
 *          3. it remembers the restarts of the last window only: `maxAll` and one for each place at the most
 */

/** The rule's numbers; see `SuperviseOptions.restarts`. */
export interface GuardRule {
  readonly max: number;
  readonly maxAll: number;
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
  /** `budget`: which one is used up. */
  | { readonly is: 'give up'; readonly budget: 'place' | 'all' };

/** The rule, applied to all places of one fleet. */
export class Guard {
  readonly #rule: GuardRule;
  readonly #random: () => number;
  /** The restarts of the window, oldest first. */
  #restarts: { readonly place: number; readonly at: number }[] = [];
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

  /** May a worker that had served for `servedMs` be restarted now, in this place? `start` counts as a restart. */
  ask(place: number, now: number, servedMs: number): Verdict {
    const { max, maxAll, withinMs, healthyMs } = this.#rule;
    this.#restarts = this.#restarts.filter(({ at }) => now < at + withinMs);
    const own = this.#restarts.filter((restart) => restart.place === place);
    const budget = own.length >= max ? 'place' : own.length > 0 && this.#restarts.length >= maxAll ? 'all' : null;
    if (budget === null) {
      this.#restarts.push({ place, at: now });
      return { is: 'start' };
    }
    if (servedMs < healthyMs) return { is: 'give up', budget };
    // Until fewer than the limit are left in the window. Of its own the last one counts for the limit of all.
    const roomOf = (times: typeof own, limit: number): number => (times[times.length - limit]?.at ?? -Infinity) + withinMs;
    const roomOfAll = Math.min(roomOf(this.#restarts, maxAll), roomOf(own, 1));
    return { is: 'wait', until: Math.max(roomOf(own, max), roomOfAll) };
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
