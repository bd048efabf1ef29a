/** Latencies of one window, in milliseconds. Used by bench/load/modes.ts. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** How many took longer than 100 ms. */
  readonly slow: number;
}

const SLOW = 100;

/** Collects the latencies, and sorts them once, at the end of the window. */
export class Latencies {
  readonly #all: number[] = [];

  add(milliseconds: number): void {
    this.#all.push(milliseconds);
  }

  summary(): LatencySummary {
    const sorted = Float64Array.from(this.#all).sort();
    const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0, slow: sorted.filter((one) => one > SLOW).length };
  }
}
