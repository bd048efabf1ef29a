/**
 * How a process with `graceful` ends. Whatever asks for the end (an exception, a signal, the supervisor, the app), it
 * takes this way, once:
 *
 *   serving ── leave ──► leaving ── no connection is left, the deadline, or `now` ──► cleaning up ──► exit
 *
 * When the supervisor tells the worker to leave, that begins in the drain and not with `leave`. This file listens to the
 * phase 'out of rotation' as well, so the app's deadline and hooks hold for a reload and a stop as for a signal.
 *
 * Owns     the exit of the process: its code, the deadline, the time limit of the hooks
 * Used by  lib/graceful.ts, which makes one for the process, however many servers and calls there are
 * Never    waits without a limit: `timeoutMs` for connections, then `cleanUpMs` for hooks
 * Keeps    1. `onDrained` of every caller runs once, in every end except an exception before any server listens
 *          2. the timers keep the process alive until the hooks have run
 *          3. a hook that throws or rejects changes the exit code to 1, and nothing else
 */
import { performance, timers } from '../../builtins';
import { callApp } from '../app_calls';
import type { Drain } from './drain';
import { PRIMARY_FIRST_MS, type Agent } from './supervised';

/** How the process ended: the argument of `onDrained`. */
export interface End {
  /** How many connections were cut off, at the deadline or because of a second signal; 0 if all ended by themselves. */
  readonly cut: number;
  /** The exit code of the process: 1 after an exception, or if a connection was cut off. */
  readonly code: number;
}

/** The options of one call of `graceful`, with all defaults; times in milliseconds. */
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
  /** undefined: no supervisor started this process. */
  readonly #agent: Agent | undefined;
  readonly #terms: Terms[] = [];
  #state: 'serving' | 'leaving' | 'cleaning up' = 'serving';
  #code = 0;
  #deadline: NodeJS.Timeout | undefined;
  /** When the deadline is, by `performance.now()`. */
  #endsAt = Infinity;
  /** Waits for the successor. */
  #patience: NodeJS.Timeout | undefined;

  constructor(drain: Drain, agent: Agent | undefined) {
    this.#drain = drain;
    this.#agent = agent;
    drain.on((phase) => {
      if (phase === 'announcing') this.#delayed();
      if (phase === 'out of rotation') this.#outOfRotation();
      if (phase === 'drained') void this.#end(0);
    });
  }

  /** Adds the options of one call of `graceful`. Of several calls the shortest deadline and grace hold, and the longest delay. */
  join(terms: Terms): void {
    this.#terms.push(terms);
  }

  get isLeaving(): boolean {
    return this.#state !== 'serving';
  }

  /** Begins the end with this exit code. A later call can only raise the code. */
  leave(code: number, reason: string, delayMs = this.#most('drainDelayMs')): void {
    this.#code = Math.max(this.#code, code);
    if (this.#state !== 'serving') return;
    this.#state = 'leaving';
    const timeoutMs = this.#least('timeoutMs');
    const stopAccepting = (): void => this.#drain.leave({ delayMs: 0, graceMs: this.#graceMs, endMs: Infinity, move: this.#agent?.moves ?? false, moveAfterMs: PRIMARY_FIRST_MS });
    if (this.#agent === undefined) return this.#drain.leave({ delayMs, graceMs: this.#graceMs, endMs: Infinity });
    const accepts = this.#terms.every(({ acceptUntilReplaced }) => acceptUntilReplaced);
    // The primary may not answer, or have no successor to start: half of the time is left for the connections.
    if (!this.#agent.retire(reason) || !accepts) return stopAccepting();
    this.#endAfter(timeoutMs);
    this.#patience = timers.setTimeout(stopAccepting, timeoutMs / 2);
  }

  /** Cuts off all connections, and ends. */
  now(): void {
    void this.#end(this.#drain.cut());
  }

  /** Passes an uncaught error to `onFatal` of every caller. If `onFatal` throws, that error is printed. */
  fatal(error: unknown): void {
    for (const { onFatal } of [...this.#terms]) {
      try {
        onFatal(error);
      } catch (another) {
        callApp(() => console.error(another));
      }
    }
  }

  /** The process leaves, but first accepts connections for `drainDelayMs`. A deadline that runs already begins again afterwards. */
  #delayed(): void {
    timers.clearTimeout(this.#patience);
    timers.clearTimeout(this.#deadline);
    this.#endsAt = Infinity;
  }

  /** The process has stopped accepting connections. */
  #outOfRotation(): void {
    if (this.#state === 'serving') this.#state = 'leaving';
    timers.clearTimeout(this.#patience);
    this.#endAfter(Math.min(this.#least('timeoutMs'), this.#drain.terms.endMs));
    for (const { onLeave } of [...this.#terms]) if (onLeave !== undefined) callApp(onLeave);
  }

  /** Sets the deadline, unless an earlier one is set. */
  #endAfter(ms: number): void {
    const at = performance.now() + ms;
    if (at >= this.#endsAt || this.#state === 'cleaning up') return;
    this.#endsAt = at;
    timers.clearTimeout(this.#deadline);
    this.#deadline = timers.setTimeout(() => this.now(), ms);
  }

  /** Runs the hooks and exits. `cut`: how many connections were cut off. */
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

  /** At most a quarter of the time, so that requests which use the grace can still be answered. */
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
