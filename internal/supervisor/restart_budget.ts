/**
 * The restart budget: may a worker be restarted now, and if not now, when? Both the back-off (the growing delay
 * before a restart) and the limit on restarts are decided here and nowhere else.
 *
 *   a worker died ──► `backOffMs`: how long to wait first    0 after the first failure in a row; then minDelayMs,
 *                                                            doubled each time up to maxDelayMs, varied by `jitter`
 *   after that    ──► `charge`: may it start now?            the slot has had `max` restarts in the last `withinMs`,
 *                                                            or all slots together `maxAll` and this one at least one:
 *                                                              the worker had served for `healthyMs`: wait for room
 *                                                              otherwise: give up
 *                                                            in any other case: start, and the restart is charged
 *
 * There are two budgets. The one of each slot ends a worker that dies again and again. The one of all slots together
 * ends a storm of restarts. A slot without a restart in the window always gets one, so that no slot pays for others.
 *
 * Owns     the times of the restarts in the window, and each slot's number of failures in a row
 * Used by  restart_policy.ts, restart_history.ts (a type), operate/daemon/app.ts
 * Never    reads a clock or starts a timer: each time is an argument
 * Keeps    1. in no window of `withinMs` there are more than `max` restarts of one slot, nor more than `maxAll` plus
 *             one for each slot of all, whatever is asked and when
 *          2. a worker that served for `healthyMs` ends the series of failures of its slot
 *          3. it remembers the restarts of the last window only: at most `maxAll` plus one for each slot
 */

/** The numbers of the rule; see `SuperviseOptions.restarts`. */
export interface RestartLimits {
  /** The most restarts of one slot within `withinMs`. */
  readonly max: number;
  /** The most restarts of all slots together within `withinMs`; each slot may have one all the same. */
  readonly maxAll: number;
  /** The length of the window, in milliseconds. */
  readonly withinMs: number;
  /** A worker that served for so many milliseconds was healthy: its death begins a new series. */
  readonly healthyMs: number;
  /** The delay before the second restart of a series, in milliseconds. The first one has none. */
  readonly minDelayMs: number;
  /** The longest delay before a restart, in milliseconds. */
  readonly maxDelayMs: number;
  /** Each delay is longer or shorter by up to this share, 0 to 1. */
  readonly jitter: number;
}

/** The answer to a restart. */
export type Verdict =
  | { readonly is: 'start' }
  /** Ask again at `until`. */
  | { readonly is: 'wait'; readonly until: number }
  /** `budget`: which of the two is used up. */
  | { readonly is: 'give up'; readonly budget: 'slot' | 'all' };

/** The content of a budget, as JSON can carry it. */
export interface BudgetSnapshot {
  readonly restarts: readonly { readonly slot: number; readonly at: number }[];
  readonly failures: readonly (readonly [slot: number, count: number])[];
}

/** Doubled more often than this, a delay is beyond every `maxDelayMs` (2 ** 30 ms are 12 days), and would overflow in the end. */
const MOST_DOUBLINGS = 30;

/** The budgets of one fleet. */
export class RestartBudget {
  readonly #limits: RestartLimits;
  readonly #random: () => number;
  /** The restarts in the window, oldest first. */
  #restarts: { readonly slot: number; readonly at: number }[] = [];
  /** The failures in a row of each slot. */
  readonly #failures = new Map<number, number>();

  /** `random` returns numbers from 0 to 1. */
  constructor(limits: RestartLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Counts a failure of this slot, whose worker had served for `servedMs`. Returns how many milliseconds to wait before `charge`. */
  backOffMs(slot: number, servedMs: number): number {
    const { healthyMs, minDelayMs, maxDelayMs, jitter } = this.#limits;
    const failures = servedMs >= healthyMs ? 1 : this.failures(slot) + 1;
    this.#failures.set(slot, failures);
    if (failures === 1) return 0;
    const delay = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures - 2, MOST_DOUBLINGS));
    return delay * (1 + jitter * (2 * this.#random() - 1));
  }

  /** May the worker of this slot, which had served for `servedMs`, be restarted now? The answer 'start' charges a restart. */
  charge(slot: number, now: number, servedMs: number): Verdict {
    const { max, maxAll, withinMs, healthyMs } = this.#limits;
    this.#restarts = this.#restarts.filter(({ at }) => now < at + withinMs);
    const own = this.#restarts.filter((restart) => restart.slot === slot);
    const budget = own.length >= max ? 'slot' : own.length > 0 && this.#restarts.length >= maxAll ? 'all' : null;
    if (budget === null) {
      this.#restarts.push({ slot, at: now });
      return { is: 'start' };
    }
    if (servedMs < healthyMs) return { is: 'give up', budget };
    // There is room under a limit when only `limit - 1` restarts are left in the window.
    const roomUnder = (limit: number, times: typeof own): number => (times[times.length - limit]?.at ?? -Infinity) + withinMs;
    // The budget of all has room, or this slot has no restart of its own in the window any more.
    const roomOfAll = Math.min(roomUnder(maxAll, this.#restarts), roomUnder(1, own));
    return { is: 'wait', until: Math.max(roomUnder(max, own), roomOfAll) };
  }

  /** For the supervisor of another process that takes over: the restarts in the window, and the failures in a row. */
  snapshot(): BudgetSnapshot {
    return { restarts: this.#restarts, failures: [...this.#failures] };
  }

  /** What another supervisor has charged counts here. Call it once. */
  adopt({ restarts, failures }: BudgetSnapshot): void {
    this.#restarts = [...restarts, ...this.#restarts].sort((one, other) => one.at - other.at);
    for (const [slot, count] of failures) if (!this.#failures.has(slot)) this.#failures.set(slot, count);
  }

  /** How many workers of this slot have failed in a row. */
  failures(slot: number): number {
    return this.#failures.get(slot) ?? 0;
  }

  /** Ends the series of failures of this slot. The restarts in the window stay charged. */
  reset(slot: number): void {
    this.#failures.delete(slot);
  }
}
