/**
 * The results of a run: a table for the terminal, and a chapter in Markdown for bench/README.md, whose legend
 * explains the columns.
 *
 * Used by  bench/run.ts
 */
import { columns } from '../test/support/terminal';
import { reached, type Chart, type Figure, type Measured } from './figures';
import type { Machine } from './machine';
import type { Spread } from './statistics';

/** All that a run keeps. It is written as JSON, and the report is made from it. */
export interface Outcome {
  readonly machine: Machine;
  readonly pairs: number;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  readonly charts: readonly Chart[];
  readonly notes: readonly string[];
}

/** A number with three significant digits; from 100 on a whole number. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** Explains the columns of both tables. */
export const LEGEND = `base, ours  the median of the samples; --verbose adds what was measured, if it is not stock or ours
ratio       the median of ours / base, pair by pair; with a sign it is the difference, ours - base
goal        what the ratio must reach: at least (≥) or at most (≤) this
stretch     a better value that the ratio should reach if it can be done
reached     "stretch", "yes" (the goal), or "NO" where the ratio falls short of the goal`;

const HEAD = ['figure', 'base', 'ours', 'ratio', 'lowest … highest', 'goal', 'stretch', 'reached'];

function cells(figure: Figure): string[] {
  const { title, unit, goal, verdict } = figure;
  return [
    title, measured(figure.base, unit, 'stock'), measured(figure.subject, unit, 'ours'),
    ratio(figure), span(verdict), limit(figure, goal?.reach), limit(figure, goal?.stretch), reached(figure),
  ];
}

function ratio({ compare, verdict }: Figure): string {
  return `${compare === 'difference' && verdict.median >= 0 ? '+' : ''}${number(verdict.median)}`;
}

function limit({ better }: Figure, value: number | undefined): string {
  return value === undefined ? '' : `${better === 'higher' ? '≥' : '≤'} ${number(value)}`;
}

/** A value, with the name of what was measured if the head of the column does not say it. */
function measured({ name, spread }: Measured, unit: string, column: string): string {
  const value = `${number(spread.median)}${unit === '' ? '' : ` ${unit}`}`;
  return name === column || name === `${column} RR` ? value : `${value} (${name})`;
}

function span({ low, high }: Spread): string {
  return `${number(low)} … ${number(high)}`;
}

/** The table for a terminal: within 100 columns, or with all columns if `verbose`. */
export function terminalTable(figures: readonly Figure[], verbose = false): string {
  if (verbose) return columns([HEAD, ...figures.map(cells)], Infinity);
  const rows = figures.map((figure) => {
    const { title, unit, goal, base, subject } = figure;
    const value = ({ spread }: Measured): string => `${number(spread.median)}${unit === '' ? '' : ` ${unit}`}`;
    const stretch = limit(figure, goal?.stretch);
    return [title, value(base), value(subject), ratio(figure), `${limit(figure, goal?.reach)}${stretch === '' ? '' : ` (${stretch})`}`, reached(figure)];
  });
  return columns([['figure', 'base', 'ours', 'ratio', 'goal (stretch)', 'reached'], ...rows]);
}

function markdownTable(figures: readonly Figure[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [line(HEAD), line(HEAD.map(() => '---')), ...figures.map((figure) => line(cells(figure)))].join('\n');
}

function mermaid({ title, unit, labels, values }: Chart): string {
  const quoted = labels.map((label) => `"${label}"`).join(', ');
  return `\`\`\`mermaid
xychart-beta
    title "${title}"
    x-axis [${quoted}]
    y-axis "${unit}" 0 --> ${Number((Math.max(...values) * 1.1).toPrecision(3))}
    bar [${values.map((value) => Number(value.toPrecision(4))).join(', ')}]
\`\`\``;
}

/** The chapter for bench/README.md. */
export function markdownReport({ machine, pairs, seconds, figures, charts, notes }: Outcome): string {
  const withGoal = figures.filter(({ goal }) => goal !== undefined);
  const others = figures.filter(({ goal }) => goal === undefined);
  const { node, cores, cpu, memoryGiB, kernel, commit, date } = machine;
  const parts = [
    `## Results on Node ${node.split('.')[0]}`,
    `Node ${node}, ${cores} CPUs (${cpu}), ${memoryGiB} GiB, Linux ${kernel}; commit ${commit}, ${date.slice(0, 10)}. `
      + `\`npm run bench\` took ${Math.round(seconds / 60)} minutes, with ${pairs} or more pairs for each figure.`,
    ...(withGoal.length === 0 ? [] : [markdownTable(withGoal)]),
    ...charts.map(mermaid),
    ...(others.length === 0 ? [] : ['Figures without a goal:', markdownTable(others)]),
    ...(notes.length === 0 ? [] : [`Not measured: ${notes.join('; ')}.`]),
  ];
  return `${parts.join('\n\n')}\n`;
}
