/**
 * Watches one worker that serves: does its event loop answer pings, and has it reached a recycling limit (memory,
 * requests, age)? Keeps the figures of the worker's last answer.
 *
 * Owns     the ping that waits for its answer, and the timers
 * Used by  worker_process.ts, which decides what follows
 * Keeps    1. at most one ping waits for an answer. Without an answer for `pingTimeoutMs`, `silent` is called once. A
 *             worker that is debugged may stand at a breakpoint, so its answer has no deadline, and no other ping is sent.
 *             A worker counts as debugged if its inspector was open at its start or with its last answer, or if
 *             `isDebugged` says so at the deadline
 *          2. each worker has limits of its own, varied by `jitter`, so that not all workers reach them at the same time
 */
import type { CheckedOptions } from './options';
import type { EpochClock } from '../clock';
import type { Figures } from './states';
import type { Pong } from './wire';

/**
 * A timer that fires so much too late, in milliseconds, shows that the primary itself did not run: it was stopped, or
 * busy. A second is more than a busy event loop usually takes, and much less than the time for which somebody stops
 * a process or a container is frozen.
 */
const STOOD_STILL_MS = 1_000;

/** What the health watch calls. */
export interface HealthPorts {
  readonly clock: EpochClock;
  /** Returns numbers from 0 to 1. */
  readonly random: () => number;
  /** Sends a ping with this number. */
  ping(seq: number): void;
  /** The worker has reached a limit; `reason` says which. */
  tooOld(reason: string): void;
  /** Asks whether somebody debugs the worker; calls `answer` at once or later. */
  isDebugged(answer: (isDebugged: boolean) => void): void;
  /** The worker did not answer in time. */
  silent(): void;
}

/** The watch over one worker, from `start` to `stop`. */
export class Health {
  readonly #ports: HealthPorts;
  readonly #pingMs: number;
  readonly #pingTimeoutMs: number;
  readonly #limits: { readonly rss: number; readonly requests: number; readonly ageMs: number };
  readonly #cancels = new Map<'ping' | 'answer' | 'age', () => void>();
  #seq = 0;
  /** Does a ping wait for its answer? */
  #isWaiting = false;
  #isInspected = false;
  #figures: Figures | null = null;

  constructor({ pingMs, pingTimeoutMs, recycle }: CheckedOptions, ports: HealthPorts) {
    this.#ports = ports;
    this.#pingMs = pingMs;
    this.#pingTimeoutMs = pingTimeoutMs;
    const varied = (limit: number): number => limit * (1 + recycle.jitter * (2 * ports.random() - 1));
    this.#limits = { rss: varied(recycle.rssBytes), requests: varied(recycle.requests), ageMs: varied(recycle.ageMs) };
  }

  /** `isInspected`: the worker is debugged since it was started. */
  start(isInspected: boolean): void {
    this.#isInspected = isInspected;
    const { ageMs } = this.#limits;
    if (Number.isFinite(ageMs)) this.#setTimer('age', ageMs, () => this.#ports.tooOld(`is older than ${Math.round(ageMs)} ms`));
    this.#pingLater();
  }

  stop(): void {
    this.#isWaiting = false;
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  /** The figures of the worker's last answer; null before the first one. */
  get figures(): Figures | null {
    return this.#figures;
  }

  /** The worker answered a ping. */
  pong({ seq, inspected, connections, requests, rss, cpu, eventLoopDelayMs }: Pong): void {
    if (seq !== this.#seq || !this.#isWaiting) return;
    this.#isWaiting = false;
    this.#isInspected = inspected;
    this.#figures = { connections, requests, rss, cpu, eventLoopDelayMs };
    this.#clearTimer('answer');
    this.#pingLater();
    if (rss > this.#limits.rss) this.#ports.tooOld(`holds ${rss} bytes, more than ${Math.round(this.#limits.rss)}`);
    else if (requests > this.#limits.requests) this.#ports.tooOld(`served ${requests} requests, more than ${Math.round(this.#limits.requests)}`);
  }

  #pingLater(): void {
    if (this.#pingMs === 0) return;
    this.#setTimer('ping', this.#pingMs, () => {
      this.#isWaiting = true;
      if (!this.#isInspected) this.#awaitAnswer();
      this.#ports.ping(++this.#seq);
    });
  }

  #awaitAnswer(): void {
    const due = this.#ports.clock.now() + this.#pingTimeoutMs;
    this.#setTimer('answer', this.#pingTimeoutMs, () => {
      // If the primary itself stood still (a frozen container, a stopped process group), the worker may have as well.
      if (this.#ports.clock.now() - due > STOOD_STILL_MS) return this.#awaitAnswer();
      const seq = this.#seq;
      this.#ports.isDebugged((isDebugged) => {
        if (!this.#isWaiting || seq !== this.#seq) return; // It has answered meanwhile, or the watch has ended.
        // If it is debugged, there is no deadline until it answers.
        if (!isDebugged) this.#ports.silent();
      });
    });
  }

  #setTimer(name: 'ping' | 'answer' | 'age', ms: number, call: () => void): void {
    this.#clearTimer(name);
    this.#cancels.set(name, this.#ports.clock.after(ms, () => {
      this.#cancels.delete(name);
      call();
    }));
  }

  #clearTimer(name: 'ping' | 'answer' | 'age'): void {
    this.#cancels.get(name)?.();
    this.#cancels.delete(name);
  }
}
