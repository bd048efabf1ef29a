/**
 * Watches one worker that serves: does its event loop answer, and is it time for a new one?
 *
 * Owns     the ping that is out, and the timers
 * Used by  worker_process.ts
 * Never    decides what follows: it tells
 * Keeps    1. one ping is out at a time; without an answer for `pingTimeoutMs`, `silent` is told once
 *             A worker whose inspector is open may stand at a breakpoint: its answer has no deadline
 *          2. each limit is this worker's own: some more, some less, so that not all reach it at once
 */
import type { Checked } from './options';
import type { EpochClock } from '../clock';

/** A timer that is so late, in milliseconds, says that the primary was stopped or busy. */
const STOOD_STILL_MS = 1_000;

/** What a watch needs, and whom it tells. */
export interface WatchPorts {
  readonly clock: EpochClock;
  readonly random: () => number;
  ping(seq: number): void;
  tooOld(reason: string): void;
  silent(): void;
}

/** From `start` to `stop`. */
export class Watch {
  readonly #ports: WatchPorts;
  readonly #pingMs: number;
  readonly #pingTimeoutMs: number;
  readonly #limits: { readonly rss: number; readonly requests: number; readonly ageMs: number };
  readonly #timers = new Map<'ping' | 'answer' | 'age', () => void>();
  #seq = 0;
  /** Is a ping out? */
  #out = false;
  #inspected = false;

  constructor({ pingMs, pingTimeoutMs, recycle }: Checked, ports: WatchPorts) {
    this.#ports = ports;
    this.#pingMs = pingMs;
    this.#pingTimeoutMs = pingTimeoutMs;
    const own = (limit: number): number => limit * (1 + recycle.jitter * (2 * ports.random() - 1));
    this.#limits = { rss: own(recycle.rssBytes), requests: own(recycle.requests), ageMs: own(recycle.ageMs) };
  }

  /** `inspected`: it was started with an inspector. */
  start(inspected: boolean): void {
    this.#inspected = inspected;
    const { ageMs } = this.#limits;
    if (Number.isFinite(ageMs)) this.#set('age', ageMs, () => this.#ports.tooOld(`is older than ${Math.round(ageMs)} ms`));
    this.#pingLater();
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  pong(seq: number, rss: number, requests: number, inspected: boolean): void {
    if (seq !== this.#seq || !this.#out) return;
    this.#out = false;
    this.#inspected = inspected;
    this.#clear('answer');
    this.#pingLater();
    if (rss > this.#limits.rss) this.#ports.tooOld(`holds ${rss} bytes, more than ${Math.round(this.#limits.rss)}`);
    else if (requests > this.#limits.requests) this.#ports.tooOld(`served ${requests} requests, more than ${Math.round(this.#limits.requests)}`);
  }

  #pingLater(): void {
    if (this.#pingMs === 0) return;
    this.#set('ping', this.#pingMs, () => {
      this.#out = true;
      if (!this.#inspected) this.#awaitAnswer();
      this.#ports.ping(++this.#seq);
    });
  }

  #awaitAnswer(): void {
    const due = this.#ports.clock.now() + this.#pingTimeoutMs;
    this.#set('answer', this.#pingTimeoutMs, () => {
      // This process itself stood still: a frozen container, a stopped process group. The worker may have as well.
      if (this.#ports.clock.now() - due > STOOD_STILL_MS) return this.#awaitAnswer();
      this.#ports.silent();
    });
  }

  #set(name: 'ping' | 'answer' | 'age', ms: number, call: () => void): void {
    this.#clear(name);
    this.#timers.set(name, this.#ports.clock.after(ms, () => {
      this.#timers.delete(name);
      call();
    }));
  }

  #clear(name: 'ping' | 'answer' | 'age'): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}
