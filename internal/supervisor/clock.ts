/**
 * The time that does not jump: counted from the start of the process, told as `Date.now()` tells it.
 *
 * A process that was stopped, or busy, finds the deadlines of that time over and the messages of that time
 * unread. Here a deadline comes after the messages: an answer that is there is never late.
 *
 * Used by  supervisor.ts, worker_process.ts; tests have a clock of their own
 */
import { performance as clock, timers } from '../builtins';
import type { Clock } from './states';

/** The longest delay that a timer takes. */
const LONGEST = 2 ** 31 - 1;

const { timeOrigin } = performance;
const now = (): number => timeOrigin + clock.now();

/** Real time. A call never comes before its time, which timers alone do not promise. */
export const realClock: Clock = {
  now,
  after(ms, call) {
    const due = now() + ms;
    let timer: NodeJS.Timeout;
    let read: NodeJS.Immediate;
    const wait = (): void => {
      const left = due - now();
      if (left > 0) timer = timers.setTimeout(wait, Math.min(LONGEST, Math.ceil(left)));
      else read = timers.setImmediate(call); // After the poll phase.
    };
    timer = timers.setTimeout(wait, Math.min(LONGEST, Math.max(0, Math.ceil(ms))));
    return () => {
      timers.clearTimeout(timer);
      timers.clearImmediate(read);
    };
  },
};
