/**
 * Measures the event loop of this process: the share of time for which it was busy, and how late a timer comes.
 *
 * Owns     the timer, which never keeps the process alive
 * Used by  recorder.ts
 * Costs    ten wake-ups per second
 */
import { performance as nodePerformance } from 'node:perf_hooks';
import { timers } from '../builtins';

/** Milliseconds between two samples. */
const PERIOD = 100;
/** Nanoseconds. A timer that is less late than this says nothing: the kernel and other timers explain it. */
const LATE = 20_000_000;
/** A loop that is less busy than this is idle. */
const IDLE = 0.01;
/** Samples. An idle process writes one of so many. */
const IDLE_SAMPLES = 10;

/** Calls `sample` every PERIOD, less often while the process is idle. `now`: nanoseconds. */
export function sampleLoop(now: () => number, sample: (at: number, busy: number, delay: number) => void): void {
  let before = nodePerformance.eventLoopUtilization();
  let expected = now() + PERIOD * 1e6;
  let idle = 0;
  timers.setInterval(() => {
    const at = now();
    const late = at - expected;
    const current = nodePerformance.eventLoopUtilization();
    const busy = nodePerformance.eventLoopUtilization(current, before).utilization;
    before = current;
    expected = at + PERIOD * 1e6;
    const delay = late > LATE ? late : 0;
    if (delay === 0 && busy < IDLE && ++idle < IDLE_SAMPLES) return;
    idle = 0;
    sample(at, busy, delay);
  }, PERIOD).unref();
}
