/**
 * When the next worker may be started in a slot. After a death the next start is a restart: it waits for its back-off
 * and then asks the restart budget. The replacement of a worker that is too old (recycling) follows the same rule.
 *
 * A slot that was given up is tried again after `retryAfterMs`, then after twice that, and so on up to
 * LONGEST_RETRY_MS, with one worker each time. Once a worker of such a try has served for `healthyMs`, the slot
 * counts as healthy again. Recycling that comes too often is postponed by the same times, while the old worker serves on.
 *
 * Owns     the timers of slots that back off, are given up, or have their recycling postponed
 * Used by  convergence.ts, fleet.ts
 * Uses     restart_budget.ts (how many restarts, with which delay), slot.ts (keeps what is decided for each slot)
 * States   of a slot's next start:
 *            free ── backOff, recycle ──► restart ── mayStart: 'start' ──────► free
 *                                          │  ▲ └─── giveUp ──► given up ── its timer, or reset ──► free
 *                                          └──┘ mayStart: 'not yet'
 *            free, restart ── its worker ends with one of `stopExitCodes` ──► done ── giveUp ──► given up
 */
import { RestartBudget, type RestartLimits } from './restart_budget';
import type { Slot } from './slot';
import type { EpochClock } from '../clock';
import type { WorkerState } from './states';

/**
 * The longest time before a slot that was given up is tried again, in milliseconds. Without it the time would double for
 * ever; with an hour, a slot serves again at most an hour after its cause is repaired, and costs 24 starts a day until
 * then. A longer `retryAfterMs` holds instead.
 */
const LONGEST_RETRY_MS = 3_600_000;

/** Doubled more often than this, `retryAfterMs` is beyond LONGEST_RETRY_MS, and would overflow in the end. */
const MOST_DOUBLINGS = 30;

/**
 * How many workers of a slot in a row may reach a recycling limit before they have served for `healthyMs`. Two can be
 * an accident (a burst of requests, a large upload); after a third the limit is below what each worker needs.
 */
const MOST_YOUNG = 3;

/** What the policy needs from its fleet. */
export interface RestartPorts {
  readonly clock: EpochClock;
  /** Returns numbers from 0 to 1. */
  readonly random: () => number;
  /** A timer of some slot has fired: `mayStart` may have another answer now. */
  due(): void;
  /** A slot without a worker backs off. */
  vacant(slot: Slot, state: WorkerState): void;
}

/** The limits of the budget, and when a slot that was given up is tried again, in milliseconds. */
export interface RestartRule extends RestartLimits {
  readonly retryAfterMs: number;
}

/** May a worker be started? `reason` says why the slot is to be given up. */
export type StartAnswer = { readonly is: 'start' } | { readonly is: 'not yet' } | { readonly is: 'give up'; readonly reason: string };

/** The policy, applied to all slots of one fleet. */
export class RestartPolicy {
  readonly #rule: RestartRule;
  readonly #ports: RestartPorts;
  /** The restarts that were charged. */
  readonly budget: RestartBudget;

  constructor(rule: RestartRule, ports: RestartPorts) {
    this.#rule = rule;
    this.#ports = ports;
    this.budget = new RestartBudget(rule, ports.random);
  }

  /** The worker of this slot died, or failed and must be replaced, after it had served for `servedMs`: the next start is a restart. */
  backOff(slot: Slot, servedMs: number): void {
    if (servedMs >= this.#rule.healthyMs) this.#wasHealthy(slot);
    this.#restartAt(slot, this.#now() + this.budget.backOffMs(slot.number, servedMs), servedMs);
  }

  /** The worker of this slot is too old after it had served for `servedMs`: its replacement is a restart. */
  recycle(slot: Slot, servedMs: number): void {
    slot.countYoung();
    this.backOff(slot, servedMs);
  }

  /** May a worker be started in this slot now? The answer 'start' charges the budget, unless the next start is free. */
  mayStart(slot: Slot): StartAnswer {
    const { nextStart } = slot;
    if (nextStart.is === 'free') return { is: 'start' };
    if (nextStart.is === 'done') return { is: 'give up', reason: nextStart.reason };
    if (nextStart.is === 'given up' || this.#now() < nextStart.notBefore) return { is: 'not yet' };
    const { max, maxAll, withinMs, healthyMs } = this.#rule;
    const recycles = slot.isServed && slot.current?.retirement?.kind !== 'failed';
    if (recycles && slot.young > MOST_YOUNG) return { is: 'give up', reason: `${slot.young} workers in a row were within ${healthyMs} ms` };
    const tries = recycles ? slot.postponement?.times ?? 0 : slot.retries;
    if (tries > 0 && nextStart.servedMs < healthyMs) return { is: 'give up', reason: `it was tried again, and again no worker stayed for ${healthyMs} ms` };
    const verdict = this.budget.charge(slot.number, this.#now(), nextStart.servedMs);
    switch (verdict.is) {
      case 'start':
        slot.free();
        return verdict;
      case 'wait':
        this.#restartAt(slot, verdict.until, nextStart.servedMs);
        return { is: 'not yet' };
      case 'give up':
        return { is: 'give up', reason: verdict.budget === 'slot'
          ? `it would take more than ${max} restarts in ${withinMs} ms`
          : `all workers together would take more than ${maxAll} restarts in ${withinMs} ms` };
      default:
        return verdict satisfies never;
    }
  }

  /** Starts nobody in this slot for now. `retries`: it is tried again after a while, unless it is done; otherwise only a command tries it. */
  giveUp(slot: Slot, retries: boolean): void {
    const since = this.#now();
    if (!retries || slot.nextStart.is === 'done') return slot.giveUp(since, null, () => undefined);
    const waitMs = this.#retryMs(slot.retries);
    slot.giveUp(since, since + waitMs, this.#ports.clock.after(waitMs, () => {
      slot.free();
      this.#ports.due();
    }));
  }

  /** Does not replace the worker of this slot for a while, though it is too old. */
  postponeRecycling(slot: Slot): void {
    slot.free();
    const waitMs = this.#retryMs(slot.postponement?.times ?? 0);
    slot.postponeRecycling(this.#now() + waitMs, this.#ports.clock.after(waitMs, () => this.#ports.due()));
  }

  isRecyclingPostponed({ postponement }: Slot): boolean {
    return postponement !== null && this.#now() < postponement.until;
  }

  /** A command, or a release that has proven itself, is a new chance: for a slot that was given up, and for recycling. */
  reset(slot: Slot): void {
    slot.allowRecycling();
    slot.resetYoung();
    if (slot.nextStart.is !== 'given up') return;
    slot.free();
    slot.resetRetries();
    this.budget.reset(slot.number);
  }

  /** The slot does not exist any more: cancels its timers. A slot of the same number later begins without a back-off. */
  remove(slot: Slot): void {
    slot.free();
    slot.allowRecycling();
    this.budget.reset(slot.number);
  }

  /** The public state of a slot that has no worker; null if a worker is about to be started. */
  vacancy({ number, nextStart, exits }: Slot): WorkerState | null {
    switch (nextStart.is) {
      case 'free': case 'done': return null;
      case 'restart': return { is: 'backing off', since: nextStart.since, until: nextStart.notBefore, failures: this.budget.failures(number) };
      case 'given up': return { is: 'given up', since: nextStart.since, retryAt: nextStart.retryAt, exits, stderr: '' };
    }
  }

  /** A worker served here for `healthyMs`: what happened before it does not count any more. */
  #wasHealthy(slot: Slot): void {
    slot.resetRetries();
    slot.resetYoung();
    slot.allowRecycling();
  }

  #retryMs(times: number): number {
    const { retryAfterMs } = this.#rule;
    return Math.min(Math.max(LONGEST_RETRY_MS, retryAfterMs), retryAfterMs * 2 ** Math.min(times, MOST_DOUBLINGS));
  }

  #restartAt(slot: Slot, notBefore: number, servedMs: number): void {
    const since = this.#now();
    const waits = notBefore > since;
    const cancel = waits ? this.#ports.clock.after(notBefore - since, () => this.#ports.due()) : () => undefined;
    slot.backOff(since, notBefore, servedMs, cancel);
    const state = this.vacancy(slot);
    if (waits && slot.current === null && state !== null) this.#ports.vacant(slot, state);
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
