/**
 * The matrix of conformance, and what is derived from it: sums, a row for each group of clauses and for each clause, and
 * the scenarios in which a runtime differs, those first that a user feels most.
 *
 * Used by  foreign.ts, markdown.ts, page.ts, compare.ts
 */
import { coveredClauses, describes } from '../../support/scenarios';
import { clauses } from '../clauses';
import { CHAPTERS } from '../conformance_table';
import { WEIGHTS, type Cell, type Deviation, type Weight } from './judge';

export interface Row {
  readonly scenario: string;
  /** One for each column. */
  readonly cells: readonly Cell[];
}

export interface Column {
  /** "Bun 1.4.5" */
  readonly runtime: string;
  /** The stock Node that said what is right: "Node 26.10.0". */
  readonly measure: string;
  /** The processes that its scenarios left behind, or that were ended with a scenario that hung. */
  readonly left: number;
}

export interface Matrix {
  /** "2026-11-28" */
  readonly date: string;
  /** Whether the messages of Node's protocol count. */
  readonly wire: boolean;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Runtimes that were asked for and cannot be run, with the reason. */
  readonly unusable: readonly { readonly runtime: string; readonly reason: string }[];
}

/** From the best to the worst: the cell of a clause is the worst of its scenarios. */
export const RESULTS = ['unjudged', 'like', 'allowed', 'flaky', 'missing', 'different', 'crashes', 'hangs'] as const;
export type Result = (typeof RESULTS)[number];

export const MARKS: Readonly<Record<Result, string>> = {
  unjudged: '–', like: '✓', allowed: '✓ (a)', flaky: '~', missing: '✗ missing', different: '✗', crashes: '✗ crashes', hangs: '✗ hangs',
};

export const MEANINGS: Readonly<Record<Result, string>> = {
  unjudged: 'nothing to compare', like: 'as on Node', allowed: 'differs only in what Node\'s documentation leaves open', flaky: 'two runs, two results',
  missing: 'the runtime says that it does not have this', different: 'what a program sees is different', crashes: 'the runtime itself fell over',
  hangs: 'does not end; confirmed by a run alone',
};

export const FEELS: Readonly<Record<Weight, string>> = {
  ends: 'a process ends otherwise', clients: 'a client gets something else', events: 'other events, or in another order', values: 'other values', allowed: 'left open by the documentation',
};

const resultOf = ({ cells }: Row, at: number): Result => cells[at]?.is ?? 'unjudged';

/** How many scenarios of each column have each result. */
export function sums({ columns, rows }: Matrix): { readonly runtime: string; readonly counts: Readonly<Record<Result, number>> }[] {
  return columns.map(({ runtime }, at) => ({
    runtime,
    counts: Object.fromEntries(RESULTS.map((result) => [result, rows.filter((row) => resultOf(row, at) === result).length])) as Record<Result, number>,
  }));
}

export interface ClauseRow {
  readonly id: string;
  readonly title: string;
  readonly scenarios: readonly string[];
  /** The worst result of its scenarios, in each column. */
  readonly results: readonly Result[];
}

/** One row for each clause that a program can see. */
export function clauseRows({ rows, columns }: Matrix): ClauseRow[] {
  const covering = new Map<string, Row[]>();
  for (const row of rows) for (const id of coveredClauses(row.scenario)) covering.set(id, [...(covering.get(id) ?? []), row]);
  return clauses.flatMap(({ id, title }) => {
    const own = covering.get(id);
    if (own === undefined) return [];
    const results = columns.map((_, at) => own.map((row) => resultOf(row, at)).reduce((one, other) => (RESULTS.indexOf(one) > RESULTS.indexOf(other) ? one : other)));
    return [{ id, title, scenarios: own.map(({ scenario }) => scenario), results }];
  });
}

/** For each chapter of SPEC.md: how many of its clauses can be judged, and in how many of them each column is like Node. */
export function groups(matrix: Matrix): { readonly letter: string; readonly title: string; readonly clauses: number; readonly like: readonly number[] }[] {
  const rows = clauseRows(matrix).filter(({ results }) => results.some((result) => result !== 'unjudged'));
  return Object.entries(CHAPTERS).flatMap(([letter, title]) => {
    const own = rows.filter(({ id }) => id.startsWith(`${letter}-`));
    const like = matrix.columns.map((_, at) => own.filter(({ results }) => ['like', 'allowed', 'unjudged'].includes(results[at] ?? '')).length);
    return own.length === 0 ? [] : [{ letter, title, clauses: own.length, like }];
  });
}

/** The deviations of a cell, from its first run that has some. */
export function deviationsOf(cell: Cell): readonly Deviation[] {
  if (cell.is === 'flaky') return cell.verdicts.map(deviationsOf).find((list) => list.length > 0) ?? [];
  return 'deviations' in cell ? cell.deviations : [];
}

/** A scenario in which a runtime differs. */
export interface Differing {
  readonly scenario: string;
  /** What it is about, in its own words. */
  readonly about: string;
  readonly clauses: readonly string[];
  readonly cell: Cell;
  readonly weight: Weight;
}

/** The scenarios in which a column differs, those first that a user feels most. */
export function differing({ rows }: Matrix, at: number): Differing[] {
  const weightOf = (cell: Cell): Weight => (cell.is === 'hangs' || cell.is === 'crashes' ? 'ends' : deviationsOf(cell)[0]?.weight ?? 'values');
  return rows.flatMap(({ scenario, cells }): Differing[] => {
    const cell = cells[at];
    if (cell === undefined || cell.is === 'like' || cell.is === 'unjudged') return [];
    return [{ scenario, about: describes(scenario), clauses: coveredClauses(scenario), cell, weight: weightOf(cell) }];
  }).sort((one, other) => WEIGHTS.indexOf(one.weight) - WEIGHTS.indexOf(other.weight) || RESULTS.indexOf(other.cell.is) - RESULTS.indexOf(one.cell.is));
}

/** What a reader of one line has to know of a cell besides its mark. */
export function reasonOf(cell: Cell): string {
  const own = cell.is === 'missing' ? cell.what : cell.is === 'crashes' ? cell.how : cell.is === 'hangs' ? `${cell.how}; ${cell.left} processes had to be ended`
    : cell.is === 'flaky' ? cell.verdicts.map(({ is }) => is).join(', then ') : '';
  const rules = cell.rules === undefined ? '' : `${cell.rules.join(', ')}: cluster-internals differs here deliberately`;
  return [own, rules].filter((text) => text !== '').join('; ');
}

/** The scenarios that no column can be judged by, with the reason. */
export function unjudged({ rows }: Matrix): { readonly scenario: string; readonly reason: string }[] {
  return rows.flatMap(({ scenario, cells }) => {
    const reasons = cells.flatMap((cell) => (cell.is === 'unjudged' ? [cell.reason] : []));
    return reasons.length < cells.length || reasons.length === 0 ? [] : [{ scenario, reason: [...new Set(reasons)].join('; ') }];
  });
}
