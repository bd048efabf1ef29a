/**
 * A worker that has asked for a successor, and does not trust that its primary hears it: a primary may
 * be stopped, busy, or without anybody to start. So each question wants an answer, and all of it an end.
 *
 *   quiet ── ask ──► asking ── noted ──► waiting ── ASK_AGAIN_MS ──► asking
 *     ▲                │ ANSWER_MS           │
 *     └── leaves ──────┴── or `patienceMs` ──┴──► alone: `alone` is called, and the worker leaves by itself
 *
 * Owns     the timers
 * Used by  agent.ts
 * Keeps    `alone` is called once, at the latest `patienceMs` after the first question, unless the primary
 *          has given the order to leave before
 */
import type { EpochClock } from '../../clock';

/** How long the primary may take to note a question, in milliseconds. A busy one takes longer than it should. */
export const ANSWER_MS = 1_500;
/** How long after an answer the next question comes, in milliseconds. */
export const ASK_AGAIN_MS = 2_000;

/** What it needs from the worker. */
export interface AskingPorts {
  readonly clock: EpochClock;
  /** Sends the question. False: there is nobody to send it to. */
  send(reason: string): boolean;
}

/** The questions of one worker. */
export class Asking {
  readonly #ports: AskingPorts;
  readonly #patienceMs: number;
  #alone: (() => void)[] = [];
  #state: 'quiet' | 'asking' | 'waiting' | 'over' = 'quiet';
  #reason = '';
  #timer: () => void = () => undefined;
  #end: () => void = () => undefined;

  constructor(patienceMs: number, ports: AskingPorts) {
    this.#patienceMs = patienceMs;
    this.#ports = ports;
  }

  /** Asks for a successor. False: there is nobody to ask. */
  ask(reason: string, alone?: () => void): boolean {
    if (this.#state === 'over' || !this.#ports.send(reason)) return false;
    this.#reason = reason;
    if (alone !== undefined) this.#alone.push(alone);
    if (this.#state === 'quiet') this.#end = this.#ports.clock.after(this.#patienceMs, () => this.#isAlone());
    if (this.#state !== 'asking') this.#wait('asking', ANSWER_MS, () => this.#isAlone());
    return true;
  }

  /** The primary has noted the question. */
  noted(): void {
    if (this.#state !== 'asking') return;
    this.#wait('waiting', ASK_AGAIN_MS, () => {
      if (!this.ask(this.#reason)) this.#isAlone();
    });
  }

  /** The worker leaves: nothing is to be asked any more. */
  over(): void {
    this.#state = 'over';
    this.#timer();
    this.#end();
    this.#alone = [];
  }

  #wait(state: 'asking' | 'waiting', ms: number, then: () => void): void {
    this.#state = state;
    this.#timer();
    this.#timer = this.#ports.clock.after(ms, then);
  }

  #isAlone(): void {
    const alone = this.#alone;
    this.over();
    for (const call of alone) call();
  }
}
