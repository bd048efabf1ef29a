/**
 * How a process with `graceful` ends: whatever asks for the end, it runs through here, once.
 *
 *   serving ── leave ──► leaving ── drained, the deadline, or `now` ──► cleaning up ──► exit
 *
 * An order of the supervisor's moves the drain without `leave`: its phase 'out of rotation' is heard as
 * well, so the app's deadline and hooks hold for a reload and a stop as they do for a signal.
 *
 * Owns     the exit of the process: its code, the deadline, the bound of the hooks
 * Used by  lib/graceful.ts, one for a process, however many servers and calls there are
 * Never    waits without a bound: `timeoutMs` for connections, then `cleanUpMs` for hooks
 * Keeps    1. `onDrained` of every caller runs once, in every end but one: an exception before any
 *             server listens
 *          2. the timers keep the process alive: one that has nothing else to do does not end before
 *             its hooks have run
 *          3. a hook that throws or rejects changes the exit code to 1, and nothing else
 */
import { performance, timers } from '../../builtins';
import { apart } from '../app_calls';
import type { Drain } from './drain';
import type { Supervised } from './supervised';

/** How a process ended that had to; what `onDrained` gets. */
export interface End {
  /** How many connections were cut off, at the deadline or since somebody asked twice; 0: all ended by themselves. */
  readonly cut: number;
  /** The exit code: 1 after an exception, or when somebody was cut off. */
  readonly code: number;
}

/** What one call of `graceful` wants. */
export interface Terms {
  readonly timeoutMs: number;
  readonly cleanUpMs: number;
  readonly idleGraceMs: number;
  readonly drainDelayMs: number;
  readonly acceptUntilReplaced: boolean;
  readonly onFatal: (error: unknown) => void;
  readonly onLeave: (() => void) | undefined;
  readonly onDrained: ((end: End) => void | Promise<void>) | undefined;
}

/** The end of this process. */
export class Ending {
  readonly #drain: Drain;
  readonly #part: Supervised | undefined;
  readonly #terms: Terms[] = [];
  #state: 'serving' | 'leaving' | 'cleaning up' = 'serving';
  #code = 0;
  #deadline: NodeJS.Timeout | undefined;
  #endsAt = Infinity;
  #patience: NodeJS.Timeout | undefined;

  constructor(drain: Drain, part: Supervised | undefined) {
    this.#drain = drain;
    this.#part = part;
    drain.on((phase) => {
      if (phase === 'announcing') this.#wait();
      if (phase === 'out of rotation') this.#leaves();
      if (phase === 'drained') void this.#end(0);
    });
  }

  /** One more call of `graceful`. Of several, the shortest deadline and grace hold, and the longest delay. */
  join(terms: Terms): void {
    this.#terms.push(terms);
  }

  get isLeaving(): boolean {
    return this.#state !== 'serving';
  }

  /** Begins the end. A later call can only make the exit code worse. */
  leave(code: number, reason: string, delayMs = this.#most('drainDelayMs')): void {
    this.#code = Math.max(this.#code, code);
    if (this.#state !== 'serving') return;
    this.#state = 'leaving';
    const timeoutMs = this.#least('timeoutMs');
    const stopAccepting = (): void => this.#drain.leave({ delayMs: 0, graceMs: this.#graceMs, endMs: Infinity });
    if (this.#part === undefined) return this.#drain.leave({ delayMs, graceMs: this.#graceMs, endMs: Infinity });
    const accepts = this.#terms.every(({ acceptUntilReplaced }) => acceptUntilReplaced);
    // A primary that does not answer is waited for no longer than one that has nobody to start.
    if (!this.#part.retire(reason) || !accepts) return stopAccepting();
    this.#endAfter(timeoutMs);
    this.#patience = timers.setTimeout(stopAccepting, timeoutMs / 2);
  }

  /** Does not wait for connections any more. */
  now(): void {
    void this.#end(this.#drain.cut());
  }

  /** The app's own words about an error that nobody caught. An `onFatal` that throws has the last one. */
  fatal(error: unknown): void {
    for (const { onFatal } of [...this.#terms]) {
      try {
        onFatal(error);
      } catch (another) {
        apart(() => console.error(another));
      }
    }
  }

  /** Its supervisor wants a delay before all else: what was begun without begins after it. */
  #wait(): void {
    timers.clearTimeout(this.#patience);
    timers.clearTimeout(this.#deadline);
    this.#endsAt = Infinity;
  }

  /** It accepts no more, whoever wanted that. */
  #leaves(): void {
    if (this.#state === 'serving') this.#state = 'leaving';
    this.#endAfter(Math.min(this.#least('timeoutMs'), this.#drain.terms.endMs));
    for (const { onLeave } of [...this.#terms]) if (onLeave !== undefined) apart(onLeave);
  }

  /** Of several deadlines the first to come holds. */
  #endAfter(ms: number): void {
    const at = performance.now() + ms;
    if (at >= this.#endsAt || this.#state === 'cleaning up') return;
    this.#endsAt = at;
    timers.clearTimeout(this.#deadline);
    this.#deadline = timers.setTimeout(() => this.now(), ms);
  }

  async #end(cut: number): Promise<void> {
    if (this.#state === 'cleaning up') return;
    this.#state = 'cleaning up';
    timers.clearTimeout(this.#deadline);
    if (cut > 0) this.#code = Math.max(this.#code, 1);
    timers.setTimeout(() => process.exit(this.#code || 1), this.#most('cleanUpMs'));
    const hooks = this.#terms.map(async ({ onDrained }) => onDrained?.({ cut, code: this.#code }));
    for (const hook of await Promise.allSettled(hooks)) {
      if (hook.status === 'fulfilled') continue;
      this.#code = 1;
      this.fatal(hook.reason);
    }
    process.exit(this.#code);
  }

  get #graceMs(): number {
    return Math.min(this.#least('idleGraceMs'), this.#least('timeoutMs') / 4);
  }

  #least(name: 'timeoutMs' | 'idleGraceMs'): number {
    return Math.min(...this.#terms.map((terms) => terms[name]));
  }

  #most(name: 'cleanUpMs' | 'drainDelayMs'): number {
    return Math.max(...this.#terms.map((terms) => terms[name]));
  }
}
