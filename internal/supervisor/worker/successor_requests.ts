/**
 * A worker that must end asks its primary for a successor, and does not rely on an answer: the primary may be stopped or
 * busy, or may have no successor to start. So each request must be answered, and all of them together have a deadline.
 *
 *   idle ── request ──► asking ── noted ──► waiting ── REQUEST_AGAIN_MS ──► asking
 *    ▲                    │ no answer for ANSWER_MS │
 *    └─ (start)           └── or `patienceMs` is over, in either state ──► over, and `onAlone` is called:
 *   leaving, in any state ──► over                                         the worker leaves by itself
 *
 * Owns     the timers
 * Used by  agent.ts
 * Keeps    `onAlone` is called once, at the latest `patienceMs` after the first request, unless the primary has told the
 *          worker to leave before
 */
import type { EpochClock } from '../../clock';

/** How long the primary may take to answer a request, in milliseconds. It answers in its next turn, so only a busy one needs longer than a few. */
export const ANSWER_MS = 1_500;
/** How long after an answer the request is sent again, in milliseconds. It shows whether the primary still runs. */
export const REQUEST_AGAIN_MS = 2_000;

/** What the requests need from the worker. */
export interface SuccessorPorts {
  readonly clock: EpochClock;
  /** Sends the request. False if the worker is not connected with a primary. */
  send(reason: string): boolean;
}

/** The requests of one worker. */
export class SuccessorRequests {
  readonly #ports: SuccessorPorts;
  readonly #patienceMs: number;
  #onAlone: (() => void)[] = [];
  #state: 'idle' | 'asking' | 'waiting' | 'over' = 'idle';
  #reason = '';
  #isAnswered = true;
  #cancelWait: () => void = () => undefined;
  #cancelPatience: () => void = () => undefined;

  /** `patienceMs`: how long the worker waits for its successor, in milliseconds. */
  constructor(patienceMs: number, ports: SuccessorPorts) {
    this.#patienceMs = patienceMs;
    this.#ports = ports;
  }

  /** False if the primary has not answered a request in time: then it does nothing else for this worker either. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Asks for a successor. `onAlone` is called if the worker has to leave without one. False if nobody can be asked. */
  request(reason: string, onAlone?: () => void): boolean {
    if (this.#state === 'over' || !this.#ports.send(reason)) return false;
    this.#reason = reason;
    if (onAlone !== undefined) this.#onAlone.push(onAlone);
    if (this.#state === 'idle') this.#cancelPatience = this.#ports.clock.after(this.#patienceMs, () => this.#isAlone());
    if (this.#state !== 'asking') this.#wait('asking', ANSWER_MS, () => {
      this.#isAnswered = false;
      this.#isAlone();
    });
    return true;
  }

  /** The primary has answered. */
  noted(): void {
    if (this.#state !== 'asking') return;
    this.#wait('waiting', REQUEST_AGAIN_MS, () => {
      if (!this.request(this.#reason)) this.#isAlone();
    });
  }

  /** The worker leaves: no successor has to be asked for any more. */
  leaving(): void {
    this.#state = 'over';
    this.#cancelWait();
    this.#cancelPatience();
    this.#onAlone = [];
  }

  #wait(state: 'asking' | 'waiting', ms: number, then: () => void): void {
    this.#state = state;
    this.#cancelWait();
    this.#cancelWait = this.#ports.clock.after(ms, then);
  }

  #isAlone(): void {
    const onAlone = this.#onAlone;
    this.leaving();
    for (const call of onAlone) call();
  }
}
