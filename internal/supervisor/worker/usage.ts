/**
 * Measures a worker: memory, CPU time, and how late its event loop is. The agent reports it with each answer to a ping.
 *
 * Owns     Node's histogram of the event loop's delay, from the first `read` on; its timer does not keep the process alive
 * Used by  agent.ts
 * Costs    one timer of Node's own each SAMPLE_MS, without any JavaScript. A worker whose supervisor sends no pings has none
 * Never    holds the start of a worker up: node:perf_hooks is loaded at the first ping
 */
import { performance } from '../../builtins';
import type { monitorEventLoopDelay, IntervalHistogram } from 'node:perf_hooks';
import type { Figures } from '../states';

/**
 * How often the delay of the event loop is measured, in milliseconds: 20 times between two pings (2 s apart by default).
 * An idle worker wakes up so often; each time costs about 13 µs (0.13 % of a CPU in all). A block of the loop that is
 * shorter can be missed; one that is longer is always seen.
 */
const SAMPLE_MS = 100;

/** The usage of this process since the last look at it. */
export class Usage {
  #delays: IntervalHistogram | null = null;
  #cpu = process.cpuUsage();
  #at = performance.now();

  /** The figures since the last call. The delay is 0 in the first one. */
  read(): Pick<Figures, 'rss' | 'cpu' | 'eventLoopDelayMs'> {
    const now = performance.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const elapsedMs = Math.max(1, now - this.#at);
    this.#cpu = process.cpuUsage();
    this.#at = now;
    return { rss: process.memoryUsage.rss(), cpu: (user + system) / 1000 / elapsedMs, eventLoopDelayMs: this.#delayMs() };
  }

  #delayMs(): number {
    if (this.#delays === null) {
      const perf = require('node:perf_hooks') as { monitorEventLoopDelay: typeof monitorEventLoopDelay };
      this.#delays = perf.monitorEventLoopDelay({ resolution: SAMPLE_MS });
      this.#delays.enable();
      return 0;
    }
    // A sample is the time between two runs of the timer, in nanoseconds, so the time that it should take is part of it.
    const { max, count } = this.#delays;
    this.#delays.reset();
    return count === 0 ? 0 : Math.max(0, max / 1e6 - SAMPLE_MS);
  }
}
