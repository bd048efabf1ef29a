/**
 * What places owe the guard: a death makes the next start in its place a restart, and so does a worker that
 * is too old. A restart waits for its time and asks the guard then.
 *
 * A place that was given up is tried again by itself, once each time: `retryAfterMs` later, then after
 * twice that, and so on up to LONGEST_RETRY_MS. If the worker of such a try stays for `healthyMs`, the
 * place is as good as any. Recycling that came too often is put off in the same way, while its worker
 * goes on.
 *
 * Owns     the timers of places that back off, are given up or put recycling off
 * Used by  crew.ts, fleet.ts
 * States   none ── owe ──► restart ── ask: start ──► none
 *                            │  ▲ └── ask: give up ──► given up ── its time, forgive ──► none
 *                            └──┘ ask: too early
 */
import { Guard, type GuardRule } from './restart_budget';
import { release, serves, settle, type Place } from './slots';
import type { Clock, WorkerState } from './states';

/** The longest that a place that was given up waits for its next try, in milliseconds, unless `retryAfterMs` is longer. */
const LONGEST_RETRY_MS = 3_600_000;

/** So many workers of a place in a row may be too old while they are young; then the limit is below what each of them needs. */
const MOST_YOUNG = 3;

/** What restarts need of their fleet. */
export interface RestartPorts {
  readonly clock: Clock;
  readonly random: () => number;
  /** The time of some place has come. */
  due(): void;
  vacant(place: Place, state: WorkerState): void;
}

/** The numbers. */
export interface RestartRule extends GuardRule {
  readonly retryAfterMs: number;
}

/** What is said to a start. */
export type Answer = { readonly is: 'start' } | { readonly is: 'not yet' } | { readonly is: 'give up'; readonly reason: string };

/** The restarts of one fleet. */
export class Restarts {
  readonly #rule: RestartRule;
  readonly #ports: RestartPorts;
  readonly #guard: Guard;

  constructor(rule: RestartRule, ports: RestartPorts) {
    this.#rule = rule;
    this.#ports = ports;
    this.#guard = new Guard(rule, ports.random);
  }

  /** A worker of this place died, or has to go: it had served for `servedMs`. */
  owe(place: Place, servedMs: number): void {
    if (servedMs >= this.#rule.healthyMs) this.#trust(place);
    this.#wait(place, this.#now() + this.#guard.died(place.number, servedMs), servedMs);
  }

  /** Its worker is too old. */
  oweRecycling(place: Place, servedMs: number): void {
    place.young++;
    this.owe(place, servedMs);
  }

  /** May a worker be started there now? One that replaces nobody dead or too old always may. */
  ask(place: Place): Answer {
    const { debt } = place;
    if (debt.is === 'none') return { is: 'start' };
    if (debt.is === 'given up' || this.#now() < debt.notBefore) return { is: 'not yet' };
    const { max, maxAll, withinMs, healthyMs } = this.#rule;
    const recycles = serves(place) && !place.current?.retiring?.failed;
    if (recycles && place.young > MOST_YOUNG) return { is: 'give up', reason: `${place.young} workers in a row were within ${healthyMs} ms` };
    const tries = recycles ? place.hold?.times ?? 0 : place.retries;
    if (tries > 0 && debt.servedMs < healthyMs) return { is: 'give up', reason: `it was tried again, and again no worker stayed for ${healthyMs} ms` };
    const verdict = this.#guard.ask(place.number, this.#now(), debt.servedMs);
    switch (verdict.is) {
      case 'start':
        settle(place);
        return verdict;
      case 'wait':
        this.#wait(place, verdict.until, debt.servedMs);
        return { is: 'not yet' };
      case 'give up':
        return { is: 'give up', reason: verdict.budget === 'place'
          ? `it would take more than ${max} restarts in ${withinMs} ms`
          : `all workers together would take more than ${maxAll} restarts in ${withinMs} ms` };
      default:
        return verdict satisfies never;
    }
  }

  /** Nobody is started there for now. `retries`: it is tried again by itself. */
  giveUp(place: Place, retries: boolean): void {
    settle(place);
    const since = this.#now();
    const wait = this.#retryMs(place.retries);
    place.retries++;
    if (!retries) place.debt = { is: 'given up', since, retryAt: null, cancel: () => undefined };
    else {
      const cancel = this.#ports.clock.after(wait, () => {
        settle(place);
        this.#ports.due();
      });
      place.debt = { is: 'given up', since, retryAt: since + wait, cancel };
    }
  }

  /** Nobody serves any more: what was given up is not tried again until a command says so. */
  abandon(place: Place): void {
    if (place.debt.is !== 'given up') return;
    const { since } = place.debt;
    settle(place);
    place.debt = { is: 'given up', since, retryAt: null, cancel: () => undefined };
  }

  /** Its worker goes on, too old or not, and is replaced later. */
  putOff(place: Place): void {
    settle(place);
    const times = place.hold?.times ?? 0;
    const wait = this.#retryMs(times);
    release(place);
    place.hold = { times: times + 1, until: this.#now() + wait, cancel: this.#ports.clock.after(wait, () => this.#ports.due()) };
  }

  /** Is recycling put off there? */
  isHeld({ hold }: Place): boolean {
    return hold !== null && this.#now() < hold.until;
  }

  /** A place that was given up is to be tried again, recycling as well. */
  forgive(place: Place): void {
    release(place);
    place.young = 0;
    if (place.debt.is !== 'given up') return;
    settle(place);
    place.retries = 0;
    this.#guard.forgive(place.number);
  }

  /** A place is no more. */
  remove(place: Place): void {
    settle(place);
    release(place);
    this.#guard.forgive(place.number);
  }

  /** How it stands with a place that has no worker; null if one is about to be started. */
  vacancy({ number, debt, exits }: Place): WorkerState | null {
    switch (debt.is) {
      case 'none': return null;
      case 'restart': return { is: 'backing off', since: debt.since, until: debt.notBefore, failures: this.#guard.failures(number) };
      case 'given up': return { is: 'given up', since: debt.since, retryAt: debt.retryAt, exits, stderr: '' };
    }
  }

  /** Its worker lived long: what was before counts no more. */
  #trust(place: Place): void {
    place.retries = 0;
    place.young = 0;
    release(place);
  }

  #retryMs(times: number): number {
    const { retryAfterMs } = this.#rule;
    return Math.min(Math.max(LONGEST_RETRY_MS, retryAfterMs), retryAfterMs * 2 ** Math.min(times, 30));
  }

  #wait(place: Place, notBefore: number, servedMs: number): void {
    const { clock } = this.#ports;
    const since = clock.now();
    settle(place);
    const cancel = notBefore > since ? clock.after(notBefore - since, () => this.#ports.due()) : () => undefined;
    place.debt = { is: 'restart', since, notBefore, servedMs, cancel };
    const state = this.vacancy(place);
    if (notBefore > since && place.current === null && state !== null) this.#ports.vacant(place, state);
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
