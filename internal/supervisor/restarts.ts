/**
 * What places owe the guard: a death makes the next start in its place a restart, which waits for its
 * time and asks the guard then.
 *
 * Owns     the timers of those that back off
 * Used by  fleet.ts
 * States   none ── owe ──► restart ── ask: start ──► none
 *                            │  ▲ └── ask: give up ──► given up ── forgive ──► none
 *                            └──┘ ask: too early
 */
import { Guard, type GuardRule } from './guard';
import { settle, type Place } from './places';
import type { Clock, WorkerState } from './states';

/** What restarts need of their fleet. */
export interface RestartPorts {
  readonly clock: Clock;
  readonly random: () => number;
  /** The time of some place has come. */
  due(): void;
  vacant(place: Place, state: WorkerState): void;
}

/** The restarts of one fleet. */
export class Restarts {
  readonly #ports: RestartPorts;
  readonly #guard: Guard;

  constructor(rule: GuardRule, ports: RestartPorts) {
    this.#ports = ports;
    this.#guard = new Guard(rule, ports.random);
  }

  /** A worker of this place died, or will: it had served for `servedMs`. */
  owe(place: Place, servedMs: number): void {
    this.#wait(place, this.#ports.clock.now() + this.#guard.died(place.number, servedMs), servedMs);
  }

  /** May a worker be started there now? One that replaces nobody dead always may. */
  ask(place: Place): 'start' | 'not yet' | 'give up' {
    const { debt } = place;
    const now = this.#ports.clock.now();
    if (debt.is === 'none') return 'start';
    if (debt.is === 'given up' || now < debt.notBefore) return 'not yet';
    const verdict = this.#guard.ask(now, debt.servedMs);
    switch (verdict.is) {
      case 'start':
        settle(place);
        return 'start';
      case 'wait':
        this.#wait(place, verdict.until, debt.servedMs);
        return 'not yet';
      case 'give up':
        settle(place);
        place.debt = { is: 'given up', since: now };
        return 'give up';
      default:
        return verdict satisfies never;
    }
  }

  /** A place that was given up is to be tried again. */
  forgive(place: Place): void {
    if (place.debt.is !== 'given up') return;
    settle(place);
    this.#guard.forgive(place.number);
  }

  /** A place is no more. */
  remove(place: Place): void {
    settle(place);
    this.#guard.forgive(place.number);
  }

  /** How it stands with a place that has no worker; null if one is about to be started. */
  vacancy({ number, debt, exits }: Place): WorkerState | null {
    switch (debt.is) {
      case 'none': return null;
      case 'restart': return { is: 'backing off', since: debt.since, until: debt.notBefore, failures: this.#guard.failures(number) };
      case 'given up': return { is: 'given up', since: debt.since, exits, stderr: '' };
    }
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
}
