/**
 * The two clocks of this project. Neither is ever set back or forward, as `Date.now()` is when an administrator
 * or NTP sets the time of the machine. Code that needs time is given a clock, so that a test can give it one
 * that the test moves.
 *
 *   machineClock   for shared_state/: counts from a moment that is the same in all processes of the machine, so
 *                  that one process can send a time to another. Its timers do not keep a process alive.
 *   epochClock     for supervisor/, master/ and upgrade/: counts from 1970, as `Date.now()` does, because programs see these times in
 *                  `status()`. Its timers keep the process alive by default, and let waiting messages go first.
 *
 * One interface cannot serve both: what one promises about the zero point, about the life of the process and
 * about the order of timers and messages, the other must not do.
 */
import { performance as processTime, timers } from './builtins';

/** A time is a number of milliseconds; only two times of `machineClock` may be compared with each other. */
export interface MachineClock {
  now(): number;
  /** Calls back at a time, or soon if it has passed. Returns a function that cancels this. `hold`: the process stays alive until then. */
  at(time: number, callback: () => void, hold?: boolean): () => void;
  /** Calls back in the next turn of the event loop. */
  soon(callback: () => void): void;
}

/** A time is a number of milliseconds since 1970. */
export interface EpochClock {
  now(): number;
  /** Calls back once, after so many milliseconds. Returns a function that cancels this. `hold`: the process stays alive until then, as by default. */
  after(ms: number, callback: () => void, hold?: boolean): () => void;
}

/** Milliseconds. `setTimeout` takes no longer delay: it would fire at once. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/** The real one, also under fake timers. */
const { hrtime } = process;

/** CLOCK_MONOTONIC, the system's clock since boot. */
export const machineClock: MachineClock = {
  now(): number {
    const [seconds, nanoseconds] = hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  at(time, callback, hold = false) {
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const left = Math.ceil(time - machineClock.now());
      // A timer may fire a fraction of a millisecond early: then it is set once more.
      timer = timers.setTimeout(() => (machineClock.now() >= time ? callback() : wait()), Math.min(Math.max(left, 0), LONGEST_DELAY));
      if (!hold) timer.unref();
    };
    wait();
    return () => timers.clearTimeout(timer);
  },
  soon: (callback) => void timers.setImmediate(callback),
};

const { timeOrigin } = performance;
const epochNow = (): number => timeOrigin + processTime.now();

/**
 * The time at which this process started, plus the time since then.
 *
 * When a process was stopped or busy, a deadline and the message that it waits for may both be due. `after`
 * calls back behind the poll phase of the event loop, so that the message is read first: an answer that has
 * arrived is never late.
 */
export const epochClock: EpochClock = {
  now: epochNow,
  after(ms, callback, hold = true) {
    const due = epochNow() + ms;
    let timer: NodeJS.Timeout;
    let behindPoll: NodeJS.Immediate;
    const set = (left: number): void => {
      timer = timers.setTimeout(wait, Math.min(LONGEST_DELAY, Math.max(0, Math.ceil(left))));
      if (!hold) timer.unref();
    };
    const wait = (): void => {
      const left = due - epochNow();
      // A timer may fire a fraction of a millisecond early: then it is set once more.
      if (left > 0) set(left);
      else behindPoll = timers.setImmediate(callback);
    };
    set(ms);
    return () => {
      timers.clearTimeout(timer);
      timers.clearImmediate(behindPoll);
    };
  },
};
