/**
 * The figures and charts that a row returns, and the goals of figures. A figure compares a subject with a
 * base. The row has sampled both in turn, in the same run.
 *
 * Used by  bench/rows/, bench/report.ts, bench/run.ts
 */
import { differences, ratios, spread, type Spread } from './statistics';

/** One line of the table. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Is a higher or a lower value better? */
  readonly better: 'higher' | 'lower';
  /** Is `verdict` the ratio subject / base, or the difference subject - base? A difference is for bases that may be 0. */
  readonly compare: 'ratio' | 'difference';
  readonly subject: Measured;
  readonly base: Measured;
  /** The median and the spread of the ratios (or differences), one for each pair of samples. */
  readonly verdict: Spread;
  readonly goal?: Goal;
}

export interface Measured {
  readonly name: string;
  readonly samples: readonly number[];
  readonly spread: Spread;
}

/** The value that the median of a verdict must reach: a lower limit, or an upper limit if lower values are better. */
export interface Goal {
  /** A figure that does not reach this falls short. */
  readonly reach: number;
  /** A value that the figure should reach if it can be done. */
  readonly stretch?: number;
}

/** A bar chart; one bar per label. */
export interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly values: readonly number[];
}

/** By the id of the figure. They were set before the code was written. The messages are the objects of 64 B of rows/messages.ts. */
export const goals: Readonly<Record<string, Goal>> = {
  'tcp-rate': { reach: 1.4, stretch: 1.8 },
  'http-rate': { reach: 1.3, stretch: 1.7 },
  'tcp-rate-of-none': { reach: 0.75, stretch: 0.85 },
  'tcp-cpu': { reach: 0.75, stretch: 0.6 },
  'latency-half-p99': { reach: 1.05, stretch: 0.8 },
  'none-rate': { reach: 0.98 },
  'none-cpu': { reach: 1.02 },
  'oneway-json-object-64': { reach: 4, stretch: 6 },
  'oneway-advanced-object-64': { reach: 2, stretch: 4 },
  'oneway-json-object-64-up': { reach: 4 },
  'oneway-json-object-64-one-cpu': { reach: 4 },
  'oneway-json-object-64-up-one-cpu': { reach: 4 },
  'oneway-advanced-object-64-up': { reach: 1.5 },
  'oneway-advanced-object-64-one-cpu': { reach: 1.5 },
  'oneway-advanced-object-64-up-one-cpu': { reach: 1.5 },
  'roundtrip-json-object-64': { reach: 1, stretch: 1.2 },
  'oneway-json-object-1048576': { reach: 1, stretch: 1.5 },
  'oneway-advanced-object-1048576': { reach: 1, stretch: 1.5 },
  'broadcast-object-64': { reach: 3, stretch: 5 },
  'fork-online': { reach: 1.05, stretch: 1 },
  'memory-worker': { reach: 1.03, stretch: 1 },
  'memory-primary': { reach: 1.03, stretch: 1 },
  'growth-workers': { reach: 1.2, stretch: 1 },
  'growth-queue': { reach: 1.2, stretch: 1 },
  'pick': { reach: 1000 },
  'pick-least-connections': { reach: 1000 },
  'pick-random-two': { reach: 1000 },
  'pick-sticky': { reach: 1000 },
  'blocked-half': { reach: 2, stretch: 0 },
};

/** Samples of one side, in the order of the pairs. */
export interface Side {
  readonly name: string;
  readonly samples: readonly number[];
}

type Kind = Pick<Figure, 'id' | 'title' | 'unit' | 'better'> & { readonly compare?: Figure['compare'] };

/** A figure of two sides that were measured in turn. */
export function figure(kind: Kind, subject: Side, base: Side): Figure {
  const compare = kind.compare ?? 'ratio';
  const pairs = (compare === 'ratio' ? ratios : differences)(subject.samples, base.samples);
  const goal = goals[kind.id];
  return {
    ...kind, compare, subject: measured(subject), base: measured(base), verdict: spread(pairs), ...(goal === undefined ? {} : { goal }),
  };
}

function measured({ name, samples }: Side): Measured {
  return { name, samples, spread: spread(samples) };
}

/** Does a figure reach its goal? `stretch`: it reaches both numbers. Empty: it has no goal. */
export function reached({ goal, better, verdict }: Figure): 'stretch' | 'yes' | 'NO' | '' {
  if (goal === undefined) return '';
  const reaches = (wanted: number): boolean => (better === 'higher' ? verdict.median >= wanted : verdict.median <= wanted);
  if (!reaches(goal.reach)) return 'NO';
  return goal.stretch !== undefined && reaches(goal.stretch) ? 'stretch' : 'yes';
}
