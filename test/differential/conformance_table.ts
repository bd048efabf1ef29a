/**
 * What `npm run conformance` prints: sums by chapter of SPEC.md, or a row for each clause.
 *
 * Cells of a clause: `ok` both sides are alike. `D4` they differ, as deliberate.ts says. `FAIL` they differ in
 * another way. `NONE` no scenario covers the clause. `-` no program can observe it.
 *
 * Used by  conformance.ts, runtimes/foreign.ts, test/unit/conformance_table.test.ts
 */
import { coveredClauses } from '../support/scenarios';
import { columns, counted, duration } from '../support/terminal';
import { clauses, type Clause } from './clauses';
import { rules } from './deliberate';

/** One Node. */
export interface Version {
  readonly major: number;
  /** The path of its executable. */
  readonly node: string;
  /** "20.20.2" */
  readonly exact: string;
}

/** One scenario on one Node: how the two implementations differ; empty where they do not. */
export interface Outcome {
  readonly scenario: string;
  readonly version: Version;
  readonly differences: readonly string[];
}

/** By the letter of its clauses. */
export const CHAPTERS: Readonly<Record<string, string>> = {
  C: 'start-up and the cluster object', P: 'primary', M: 'messages', Q: 'queryServer', R: 'round robin', S: 'shared handle',
  W: 'worker', N: 'net, dgram, http, tls', I: 'the channel', B: 'native classes',
};

type Cell = { readonly text: string; readonly kind: 'alike' | 'deliberate' | 'FAIL' | 'NONE' | 'hidden' };

/** False for a line of a table that reports a failure or a clause without a scenario. */
export const isFine = (line: string): boolean => !/\b(FAIL|NONE)\b/.test(line);

/** One row for each chapter, with the number of its clauses that can be observed; below them the clauses that are not fine. */
export function sums(outcomes: readonly Outcome[], versions: readonly Version[]): string {
  const cells = cellsOf(outcomes, versions, coverage(outcomes));
  const rows = Object.entries(CHAPTERS).flatMap(([letter, title]) => {
    const chapter = [...cells].filter(([{ id, observable }]) => observable && id.startsWith(`${letter}-`)).map(([, ofClause]) => ofClause);
    return chapter.length === 0 ? [] : [[letter, title, String(chapter.length), ...versions.map((_, at) => sumOf(chapter.map((ofClause) => ofClause[at] as Cell)))]];
  });
  const wrong = [...cells].filter(([, ofClause]) => ofClause.some(({ kind }) => kind === 'FAIL' || kind === 'NONE'));
  const detail = wrong.map(([clause, ofClause]) => [clause.id, ...ofClause.map(({ text }) => text), clause.title]);
  const head = ['', 'chapter', 'clauses', ...versions.map(({ exact }) => exact)];
  return [columns([head, ...rows]), ...(detail.length === 0 ? [] : ['', columns(detail)])].join('\n');
}

/** "17 ok, 2 D, 1 FAIL": how many clauses of each kind. */
function sumOf(cells: readonly Cell[]): string {
  const names = { alike: 'ok', deliberate: 'D', FAIL: 'FAIL', NONE: 'NONE' } as const;
  return Object.entries(names).map(([kind, name]) => [cells.filter((cell) => cell.kind === kind).length, name] as const)
    .filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`).join(', ');
}

/** One row for each clause, with its scenarios; those that nothing covers are left out unless `all`. */
export function clauseTable(outcomes: readonly Outcome[], versions: readonly Version[], all: boolean): string {
  const covering = coverage(outcomes);
  const rows = [...cellsOf(outcomes, versions, covering)].flatMap(([{ id, title, observable, reason }, cells]) => {
    const names = covering.get(id);
    if (names === undefined && !all) return [];
    const last = names?.join(', ') ?? (observable ? title : `(${title}: ${reason ?? ''})`);
    return [[id, ...cells.map(({ text }) => text), last]];
  });
  return columns([['clause', ...versions.map(({ exact }) => exact), 'scenarios'], ...rows]);
}

/** By the id of a clause: the scenarios that ran and cite it. */
type Coverage = ReadonlyMap<string, readonly string[]>;

function coverage(outcomes: readonly Outcome[]): Coverage {
  const covering = new Map<string, string[]>();
  for (const name of [...new Set(outcomes.map(({ scenario }) => scenario))].sort()) {
    for (const id of coveredClauses(name)) covering.set(id, [...(covering.get(id) ?? []), name]);
  }
  return covering;
}

function cellsOf(outcomes: readonly Outcome[], versions: readonly Version[], covering: Coverage): Map<Clause, Cell[]> {
  return new Map(clauses.map((clause) => [clause, versions.map((version) => cellOf(clause, version, covering.get(clause.id) ?? [], outcomes))]));
}

/** The result of all scenarios of one clause on one Node. */
function cellOf(clause: Clause, { major }: Version, covering: readonly string[], outcomes: readonly Outcome[]): Cell {
  if (covering.length === 0) return clause.observable ? { text: 'NONE', kind: 'NONE' } : { text: '-', kind: 'hidden' };
  const ours = outcomes.filter(({ scenario, version }) => version.major === major && covering.includes(scenario));
  if (ours.some(({ differences }) => differences.length > 0)) return { text: 'FAIL', kind: 'FAIL' };
  const numbers = covering.flatMap((scenario) => rulesOf(scenario, major)).filter((rule) => rule.clause === clause.id).map(({ number }) => number);
  return numbers.length === 0 ? { text: 'ok', kind: 'alike' } : { text: [...new Set(numbers)].join(' '), kind: 'deliberate' };
}

/** The deliberate differences of a scenario on a Node. */
function rulesOf(scenario: string, major: number): typeof rules {
  return rules.filter((rule) => [rule.scenario].flat().includes(scenario) && (rule.versions?.includes(major) ?? true));
}

/** "D3": the numbers of the differences that deliberate.ts has for a scenario of ours on this Node. */
export const deliberateNumbers = (scenario: string, major: number): string[] => [...new Set(rulesOf(scenario, major).map(({ number }) => number))];

/** The last two lines: how much was compared, and how many runs were alike. */
export function counts(outcomes: readonly Outcome[], names: readonly string[], milliseconds: number): string {
  const cited = new Set(names.flatMap(coveredClauses));
  const observable = clauses.filter((clause) => clause.observable).length;
  const different = outcomes.filter(({ differences }) => differences.length > 0).length;
  const deliberate = outcomes.filter(({ scenario, version, differences }) => differences.length === 0 && rulesOf(scenario, version.major).length > 0).length;
  return `${counted(names.length, 'scenario')} for ${counted(cited.size, 'clause')}; ${observable} of ${clauses.length} can be observed
${counted(outcomes.length, 'run')} in ${duration(milliseconds)}: ${outcomes.length - deliberate - different} alike, ${deliberate} deliberately different, ${different} different`;
}
