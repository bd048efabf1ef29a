/**
 * What a run has found, as a table for the terminal and as a chapter for bench/README.md, whose legend explains
 * the columns.
 *
 * Used by  run.ts
 */
import { standing, type Chart, type Figure, type Measured } from './figures';
import type { Machine } from './machine';
import type { Spread } from './statistics';

/** All that a run keeps: what is written as JSON, and what the report is made from. */
export interface Outcome {
  readonly machine: Machine;
  readonly pairs: number;
  readonly seconds: number;
  readonly figures: readonly Figure[];
  readonly charts: readonly Chart[];
  readonly notes: readonly string[];
}

/** A number with three digits that count, or all of a whole one. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

const REACHED = { aim: 'stretch', pass: 'yes', short: 'NO', none: '' } as const;

const HEAD = ['figure', 'base', 'ours', 'ratio', 'lowest … highest', 'goal', 'stretch', 'reached'];

function cells(figure: Figure): string[] {
  const { title, unit, better, goal, verdict } = figure;
  const limit = (value: number | undefined): string => (value === undefined ? '' : `${better === 'higher' ? '≥' : '≤'} ${number(value)}`);
  return [
    title, measured(figure.base, unit, 'stock'), measured(figure.subject, unit, 'ours'),
    `${figure.compare === 'difference' && verdict.median >= 0 ? '+' : ''}${number(verdict.median)}`, span(verdict),
    limit(goal?.must), limit(goal?.aim), REACHED[standing(figure)],
  ];
}

/** With the name of the side where the column's head does not say it. */
function measured({ name, spread }: Measured, unit: string, column: string): string {
  const value = `${number(spread.median)}${unit === '' ? '' : ` ${unit}`}`;
  return name === column || name === `${column} RR` ? value : `${value} (${name})`;
}

function span({ low, high }: Spread): string {
  return `${number(low)} … ${number(high)}`;
}

/** The table, in columns. */
export function terminalTable(figures: readonly Figure[]): string {
  const lines = [HEAD, ...figures.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ').trimEnd()).join('\n');
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

/** A chapter of bench/README.md. */
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
