/**
 * The time and the timers of a server that accepts by itself.
 *
 * Used by  accept_pause.ts
 */
import { performance, timers } from '../builtins';

/** Time in milliseconds, and timers. A test gives its own. */
export interface PauseClock {
  /** The same in all workers of a machine. */
  now(): number;
  /** Calls back every `ms` milliseconds. The timer does not keep the process alive until its `ref` is called. */
  every(ms: number, callback: () => void): PauseTimer;
  /** Calls back once, after the next poll phase of the event loop. */
  afterPoll(callback: () => void): void;
}

/** A timer that runs until `stop`. */
export interface PauseTimer {
  /** Does it keep the process alive? */
  hold(process: boolean): void;
  stop(): void;
}

/** The clock of this process. */
export const processClock: PauseClock = {
  now: () => performance.timeOrigin + performance.now(),
  every(ms, callback) {
    const timer = timers.setInterval(callback, ms).unref();
    return { hold: (process) => void (process ? timer.ref() : timer.unref()), stop: () => timers.clearInterval(timer) };
  },
  afterPoll: (callback) => void timers.setImmediate(callback),
};
