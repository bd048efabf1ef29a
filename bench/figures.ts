/**
 * What a row gives: figures, each a subject against a base, sampled side by side in one run; and
 * charts. And the goals of the figures that have one.
 *
 * Used by  rows/, report.ts
 */
import { differences, ratios, spread, type Spread } from './statistics';

/** One line of the table. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Which way is good. */
  readonly better: 'higher' | 'lower';
  /** What `verdict` is: subject / base, or subject - base where the base may be 0. */
  readonly compare: 'ratio' | 'difference';
  readonly subject: Measured;
  readonly base: Measured;
  /** Of the quotients (or differences) of the pairs. */
  readonly verdict: Spread;
  readonly goal?: Goal;
}

export interface Measured {
  readonly name: string;
  readonly samples: readonly number[];
  readonly spread: Spread;
}

/** What the issue asks of a verdict's median. */
export interface Goal {
  readonly must: number;
  readonly aim?: number;
}

/** A bar chart; one bar per label. */
export interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly values: readonly number[];
}

/** The table "Figures to reach" of issue C, by the figure's id. */
export const goals: Readonly<Record<string, Goal>> = {
  'tcp-rate': { must: 1.4, aim: 1.8 },
  'http-rate': { must: 1.3, aim: 1.7 },
  'tcp-rate-of-none': { must: 0.75, aim: 0.85 },
  'tcp-cpu': { must: 0.75, aim: 0.6 },
  'latency-half-p99': { must: 1.05, aim: 0.8 },
  'none-rate': { must: 0.98 },
  'none-cpu': { must: 1.02 },
  'oneway-json-64': { must: 4, aim: 6 },
  'oneway-advanced-64': { must: 2, aim: 4 },
  'roundtrip-json-64': { must: 1, aim: 1.2 },
  'oneway-json-1048576': { must: 1, aim: 1.5 },
  'oneway-advanced-1048576': { must: 1, aim: 1.5 },
  'broadcast-64': { must: 3, aim: 5 },
  'fork-online': { must: 1.05, aim: 1 },
  'memory-worker': { must: 1.03, aim: 1 },
  'memory-primary': { must: 1.03, aim: 1 },
  'growth-workers': { must: 1.2, aim: 1 },
  'growth-queue': { must: 1.2, aim: 1 },
  'pick': { must: 1000 },
  'pick-least-connections': { must: 1000 },
  'pick-random-two': { must: 1000 },
  'pick-sticky': { must: 1000 },
  'blocked-half': { must: 2, aim: 0 },
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

/** How a figure stands to its goal; 'none' if it has none. */
export function standing({ goal, better, verdict }: Figure): 'aim' | 'pass' | 'short' | 'none' {
  if (goal === undefined) return 'none';
  const reaches = (wanted: number): boolean => (better === 'higher' ? verdict.median >= wanted : verdict.median <= wanted);
  if (!reaches(goal.must)) return 'short';
  return goal.aim !== undefined && reaches(goal.aim) ? 'aim' : 'pass';
}
