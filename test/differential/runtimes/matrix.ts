/**
 * The matrix of conformance, and what is derived from it: sums, a row for each group of clauses and for each clause, and
 * the scenarios in which a runtime differs, those first that a user feels most.
 *
 * Used by  foreign.ts, markdown.ts, page.ts, compare.ts, ../conformance.ts
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
  unjudged: 'nothing to compare', like: 'as on Node', allowed: 'differs only in what Node\'s documentation leaves open', flaky: 'two plays, two results',
  missing: 'the runtime says that it does not have this', different: 'what a program sees is different', crashes: 'the runtime itself fell over',
  hangs: 'does not end and was ended from outside, played alone too; the exit code is then of no interest',
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

/** Results that are not as on Node, and neither allowed nor flaky. */
export const BAD: readonly Result[] = ['missing', 'different', 'crashes', 'hangs'];

export interface WithoutDeliberate {
  /** Scenarios in BAD in which ours is as Node. */
  readonly own: number;
  /** Scenarios in BAD in which ours differs too. */
  readonly deliberate: number;
  /** Those of them in which the runtime does what ours does, and nothing else differs. */
  readonly asOurs: number;
}

/** How much of what is not as on Node stands where ours differs deliberately too, for each column. */
export function withoutDeliberate({ columns, rows }: Matrix): WithoutDeliberate[] {
  return columns.map((_, at) => {
    const bad = rows.flatMap(({ cells }) => { const cell = cells[at]; return cell !== undefined && BAD.includes(cell.is) ? [cell] : []; });
    const deliberate = bad.filter(({ rules = [] }) => rules.length > 0);
    return { own: bad.length - deliberate.length, deliberate: deliberate.length, asOurs: deliberate.filter((cell) => asOurs(cell) === 'all').length };
  });
}

/** In how many of the places where a runtime differs it does what ours does. */
function asOurs(cell: Cell): 'all' | 'some' | 'none' {
  const counted = deviationsOf(cell).filter(({ weight }) => weight !== 'allowed');
  const alike = counted.filter(({ isAsOurs }) => isAsOurs === true).length;
  return alike === 0 ? 'none' : alike < counted.length ? 'some' : 'all';
}

/** "D3 D4, as cluster-internals": where ours differs too, and whether the runtime does there what ours does. */
export const deliberateOf = (cell: Cell): string => `${(cell.rules ?? []).join(' ')}${{ all: ', as cluster-internals', some: ', in part as cluster-internals', none: '' }[asOurs(cell)]}`;

export interface ClauseRow {
  readonly id: string;
  readonly title: string;
  readonly scenarios: readonly string[];
  /** The worst result of its scenarios, in each column. */
  readonly results: readonly Result[];
  /** For each column the D numbers, if the scenarios that make the result what it is are all such in which ours differs too; otherwise empty. */
  readonly deliberate: readonly string[];
}

/** One row for each clause that a program can see. */
export function clauseRows({ rows, columns }: Matrix): ClauseRow[] {
  const covering = new Map<string, Row[]>();
  for (const row of rows) for (const id of coveredClauses(row.scenario)) covering.set(id, [...(covering.get(id) ?? []), row]);
  return clauses.flatMap(({ id, title }) => {
    const own = covering.get(id);
    if (own === undefined) return [];
    const results = columns.map((_, at) => own.map((row) => resultOf(row, at)).reduce((one, other) => (RESULTS.indexOf(one) > RESULTS.indexOf(other) ? one : other)));
    const deliberate = columns.map((_, at) => {
      const bad = own.flatMap(({ cells }) => { const cell = cells[at]; return cell !== undefined && BAD.includes(cell.is) ? [cell] : []; });
      return bad.some(({ rules = [] }) => rules.length === 0) ? '' : [...new Set(bad.flatMap(({ rules = [] }) => rules))].join(' ');
    });
    return [{ id, title, scenarios: own.map(({ scenario }) => scenario), results, deliberate }];
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

/** A mark of a clause, with the numbers of the deliberate differences that it stands on. */
export const markOf = (result: Result, deliberate = ''): string => `${MARKS[result]}${deliberate === '' ? '' : ` (${deliberate})`}`;

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
export const reasonOf = (cell: Cell): string => [ownReasonOf(cell), ofOurs(cell)].filter((text) => text !== '').join('; ');

/** The same without what ours does. */
export function ownReasonOf(cell: Cell): string {
  return cell.is === 'missing' ? cell.what : cell.is === 'crashes' ? cell.how : cell.is === 'hangs' ? `${cell.how}; ${cell.left} ${cell.left === 1 ? 'process' : 'processes'} had to be ended`
    : cell.is === 'flaky' ? cell.verdicts.map(({ is }) => is).join(', then ') : '';
}

const ofOurs = (cell: Cell): string => cell.rules === undefined ? '' : `${cell.rules.join(', ')}: cluster-internals differs here deliberately${
    { all: ', and this runtime does what it does', some: ', and this runtime does in part what it does', none: '' }[asOurs(cell)]}`;

/**
 * The deviation that a single line shows: the first that is not a deliberate one of ours too. What hangs has been killed,
 * so how it ended says nothing.
 */
export function firstOf(cell: Cell): Deviation | undefined {
  const shown = deviationsOf(cell).filter(({ where }) => cell.is !== 'hangs' || where !== 'exit');
  return shown.find(({ isAsOurs, weight }) => isAsOurs !== true && weight !== 'allowed') ?? shown[0];
}

/** The scenarios that no column can be judged by, with the reason. */
export function unjudged({ rows }: Matrix): { readonly scenario: string; readonly reason: string }[] {
  return rows.flatMap(({ scenario, cells }) => {
    const reasons = cells.flatMap((cell) => (cell.is === 'unjudged' ? [cell.reason] : []));
    return reasons.length < cells.length || reasons.length === 0 ? [] : [{ scenario, reason: [...new Set(reasons)].join('; ') }];
  });
}
