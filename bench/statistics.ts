/** The arithmetic of samples: median and spread, the ratios of two series, fairness. Used by bench/figures.ts, bench/rows/ and bench/all/. */

/** The median and the spread of some samples. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** The quartiles. */
  readonly q1: number;
  readonly q3: number;
}

/** The value below which a share of the samples lies (0.5: the median), interpolated. Throws if there are no samples. */
export function quantile(samples: readonly number[], part: number): number {
  if (samples.length === 0) throw new Error('no samples');
  const sorted = [...samples].sort((one, other) => one - other);
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/**
 * The interval in which the median of what the samples were taken from lies with some 95 %: it ends at two of the sorted
 * samples. Nothing is assumed about how they are distributed. Throws if there are no samples.
 */
export function medianWithin(samples: readonly number[]): readonly [low: number, high: number] {
  if (samples.length === 0) throw new Error('no samples');
  const sorted = [...samples].sort((one, other) => one - other);
  // How many samples lie below that median is as chance as the number of heads in so many throws of a coin.
  const below = Math.floor(samples.length / 2 - 0.98 * Math.sqrt(samples.length));
  const at = Math.max(0, below - 1);
  return [sorted[at] as number, sorted[samples.length - 1 - at] as number];
}

/** How many times `bootstrap` draws. */
const DRAWS = 2000;

/**
 * The interval of the median, by bootstrap: as many samples as there are, drawn from them with repetition, have a median;
 * of many such medians the middle 95 % are the interval. The same samples give the same interval each time. With fewer
 * than five samples the interval is too narrow to be believed. Throws if there are no samples.
 */
export function bootstrap(samples: readonly number[]): readonly [low: number, high: number] {
  if (samples.length === 0) throw new Error('no samples');
  const random = randomFrom(samples.length);
  const medians = Array.from({ length: DRAWS }, () => median(samples.map(() => samples[Math.floor(random() * samples.length)] as number)));
  return [quantile(medians, 0.025), quantile(medians, 0.975)];
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function spread(samples: readonly number[]): Spread {
  return {
    median: median(samples), low: quantile(samples, 0), high: quantile(samples, 1),
    q1: quantile(samples, 0.25), q3: quantile(samples, 0.75),
  };
}

/** Pair by pair: `ours[i] / base[i]`, of samples taken side by side. */
export function ratios(ours: readonly number[], base: readonly number[]): number[] {
  return pairwise(ours, base, (one, other) => one / other);
}

/** Pair by pair: `ours[i] - base[i]`. */
export function differences(ours: readonly number[], base: readonly number[]): number[] {
  return pairwise(ours, base, (one, other) => one - other);
}

function pairwise(ours: readonly number[], base: readonly number[], make: (one: number, other: number) => number): number[] {
  if (ours.length !== base.length) throw new Error(`${ours.length} samples against ${base.length}`);
  return ours.map((one, at) => make(one, base[at] as number));
}

/** Jain's fairness index: 1 if all shares are equal, 1/n if one has everything. */
export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}
