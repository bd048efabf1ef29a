/**
 * Time, as this part of the project sees it: one clock for all processes of a machine, timers, and
 * "soon". Everything else gets it passed in, so that the tests have a time of their own.
 *
 * Used by  server/server.ts, client/client.ts and what the client gives out
 * Keeps    `now` is CLOCK_MONOTONIC: the same in every process, and it never goes back. A time that
 *          the primary sends, when a lease ends or as of when a replica is true, means the same here
 */
import { timers } from '../builtins';

/** Time in milliseconds. Every function that starts something returns the one that cancels it. */
export interface Clock {
  now(): number;
  /** Calls back at a time, or soon after if that has passed. `hold`: the process stays alive for it. */
  at(time: number, callback: () => void, hold?: boolean): () => void;
  /** Calls back in the next turn of the event loop. */
  soon(callback: () => void): void;
}

/** The longest that a timer of Node's can wait. */
const LONGEST = 2 ** 31 - 1;

/** The real one. */
export const clock: Clock = {
  now(): number {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  at(time, callback, hold = false) {
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      // A timer may come a fraction of a millisecond early.
      const left = Math.ceil(time - clock.now());
      timer = timers.setTimeout(() => (clock.now() >= time ? callback() : wait()), Math.min(Math.max(left, 0), LONGEST));
      if (!hold) timer.unref();
    };
    wait();
    return () => timers.clearTimeout(timer);
  },
  soon: (callback) => void timers.setImmediate(callback),
};
