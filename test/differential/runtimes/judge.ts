/**
 * Says what one run of a scenario on some runtime is worth, measured by what Node itself does.
 *
 * The measure is taken from several runs on one Node: a subject whose lines differ between those runs varies on Node
 * itself, and is left out. What remains is compared line by line. Without `wire` only what any program can see counts:
 * events, arguments, errors, their order, what clients got, exit codes. The messages of Node's protocol do not.
 *
 * Uses     ../../support/scenario_run.ts (Played), allowed.ts (what Node's documentation leaves open)
 */
import { endsReversed, excerpt, firstDifference, settleEnd } from '../../support/differential';
import type { Stopped } from '../../support/run_watch';
import { tracesOf, type Played } from '../../support/scenario_run';
import { isOfTheRecorder, type Entry, type Traces } from '../../support/trace_lines';
import { aroundTheDifference, firstNotAllowed } from './allowed';

/** How much a user feels a difference: the first of these that applies. */
export const WEIGHTS = ['ends', 'clients', 'events', 'values', 'allowed'] as const;
export type Weight = (typeof WEIGHTS)[number];

/** What is expected of a scenario. */
export interface Measure {
  readonly traces: Traces;
  /** "code 0, signal null"; null where it varies. */
  readonly end: string | null;
  readonly stdout: string | null;
  /** The subjects that vary on Node itself. */
  readonly varies: readonly string[];
  /** Whether there is anything to compare but exit codes. */
  readonly isEmpty: boolean;
}

/** The first lines in which a runtime differs from the measure, of one subject: those that are not allowed, if there are some. */
export interface Deviation {
  readonly where: string;
  readonly weight: Weight;
  /** The line, marked, between its neighbours. */
  readonly expected: string;
  readonly got: string;
  /** A part of each of the two lines: that with the first difference in it. */
  readonly line?: readonly [expected: string, got: string];
  /** True if ours differs from Node here too, and does what this runtime does. */
  readonly isAsOurs?: boolean;
}

export type Verdict =
  | { readonly is: 'like' }
  /** All deviations are such as Node's documentation allows. */
  | { readonly is: 'allowed'; readonly deviations: readonly Deviation[] }
  | { readonly is: 'different'; readonly deviations: readonly Deviation[] }
  /** It says itself that it lacks something. */
  | { readonly is: 'missing'; readonly what: string }
  | { readonly is: 'hangs'; readonly left: number; readonly how: string; readonly deviations: readonly Deviation[] }
  /** Ended by a signal that Node does not end by, or by an internal error. */
  | { readonly is: 'crashes'; readonly how: string };

/** One scenario on one runtime, after all its runs. */
export type Cell = (Verdict | { readonly is: 'flaky'; readonly verdicts: readonly Verdict[] } | { readonly is: 'unjudged'; readonly reason: string })
  /** Where ours differs deliberately in this scenario, often because Node itself has a defect there: the numbers of these differences. */
  & {
    readonly rules?: readonly string[];
    /** How many plays of the runtime it rests on. */
    readonly plays?: number;
  };

/** The lines that count. `wire` is the tool's --wire. */
export function visible(played: Played, wire: boolean): Traces {
  const traces = tracesOf(played, (entry: Entry) => wire || (entry.way === undefined && entry.subject !== 'wire'));
  // Which implementation runs is the recorder's own line.
  for (const [key, lines] of traces) {
    const rest = lines.filter((line) => line !== 'started');
    if (rest.length > 0) traces.set(key, rest);
    else traces.delete(key);
  }
  return traces;
}

const HANGS: Readonly<Record<Stopped, string>> = {
  deadline: 'it was still busy at the deadline', asleep: 'all its processes slept', processes: 'it started processes without end', files: 'it wrote without end',
};

/** What all of these runs on one Node have in common. @throws if one of them did not end */
export function measureOf(runs: readonly Played[], wire: boolean): Measure {
  if (runs.some(({ isLate }) => isLate)) throw new Error('the measure itself hangs');
  const all = runs.map((run) => visible(run, wire));
  const traces: Traces = new Map();
  const varies: string[] = [];
  for (const where of new Set(all.flatMap((one) => [...one.keys()]))) {
    const [first = [], ...others] = all.map((one) => one.get(where) ?? []);
    if (others.every((lines) => sameLines(first, lines))) traces.set(where, first);
    else varies.push(where);
  }
  const same = <T>(of: (played: Played) => T): T | null => {
    const values = runs.map(of);
    return values.every((value) => value === values[0]) ? values[0] ?? null : null;
  };
  const hasMore = runs.some(({ logs }) => logs.some(({ entries }) => entries.some((entry) => !isOfTheRecorder(entry) && (wire || (entry.way === undefined && entry.subject !== 'wire')))));
  return { traces, end: same(endOf), stdout: same((run) => run.plain(run.stdout)), varies, isEmpty: !hasMore };
}

/** Compares one run with the measure. */
export function judge(measure: Measure, played: Played, wire: boolean): Verdict {
  const deviations = deviationsOf(measure, played, wire);
  if (played.stopped !== null) return { is: 'hangs', left: played.left, how: HANGS[played.stopped], deviations };
  if (deviations.length === 0) return { is: 'like' };
  const lacks = lackOf(played.stderr);
  if (lacks !== null) return { is: 'missing', what: lacks };
  const crash = crashOf(played);
  if (crash !== null && measure.end !== endOf(played)) return { is: 'crashes', how: crash };
  return { is: deviations.every(({ weight }) => weight === 'allowed') ? 'allowed' : 'different', deviations };
}

/**
 * The result of all runs of one scenario on one runtime.
 *
 * @param runs   the first, and the second where the first was not like Node
 * @param alone  the run without other scenarios beside it, where one of them hung. One that hung only because the machine was busy is not counted
 */
export function combined(runs: readonly Verdict[], alone?: Verdict): Cell {
  const isOfLoad = (verdict: Verdict): boolean => verdict.is === 'hangs' && verdict.how === HANGS.deadline && alone !== undefined && alone.is !== 'hangs';
  const verdicts = [...runs.filter((verdict) => !isOfLoad(verdict)), ...(alone === undefined ? [] : [alone])];
  const [first = { is: 'like' }, ...others] = verdicts;
  if (others.some(({ is }) => is !== first.is)) return { is: 'flaky', verdicts };
  if (!('deviations' in first) || first.is === 'hangs') return first;
  // What deviated in one run alone may be chance, unless there is nothing else.
  const always = first.deviations.filter(({ where }) => others.every((other) => 'deviations' in other && other.deviations.some((each) => each.where === where)));
  return always.length === 0 ? { is: 'flaky', verdicts } : { ...first, deviations: always };
}

/**
 * The result of one scenario on one runtime from several runs of the whole matrix. Two results are flaky, however sure
 * each run was of its own.
 */
export function merged(cells: readonly Cell[]): Cell {
  const judged = cells.filter(({ is }) => is !== 'unjudged');
  const [first, ...others] = judged;
  if (first === undefined) return cells[0] ?? { is: 'unjudged', reason: 'not played' };
  const plays = judged.reduce((sum, cell) => sum + (cell.plays ?? 0), 0);
  const verdicts = judged.flatMap((cell): readonly Verdict[] => (cell.is === 'flaky' ? cell.verdicts : cell.is === 'unjudged' ? [] : [cell]));
  if (others.some(({ is }) => is !== first.is)) return { is: 'flaky', verdicts, plays };
  if (first.is !== 'different' && first.is !== 'allowed') return { ...first, plays };
  const always = first.deviations.filter(({ where }) => others.every((other) => 'deviations' in other && other.deviations.some((each) => each.where === where)));
  return always.length === 0 ? { is: 'flaky', verdicts, plays } : { ...first, deviations: always, plays };
}

/** Marks the deviations in which all plays of a runtime are as all plays of ours; none where one of ours did not end. */
export function markedAsOurs<Of extends Cell>(cell: Of, ours: readonly Played[], played: readonly Played[], wire: boolean): Of {
  if (!('deviations' in cell) || ours.length === 0 || played.length === 0 || ours.some(({ isLate }) => isLate)) return cell;
  const measure = measureOf(ours, wire);
  const others = played.flatMap((each) => deviationsOf(measure, each, wire)).filter(({ weight }) => weight !== 'allowed').map(({ where }) => where);
  const isAsOurs = (where: string): boolean => !others.includes(where) && !measure.varies.includes(where);
  return { ...cell, deviations: cell.deviations.map((deviation) => (isAsOurs(deviation.where) ? { ...deviation, isAsOurs: true } : deviation)) };
}

function deviationsOf(measure: Measure, played: Played, wire: boolean): Deviation[] {
  const got = visible(played, wire);
  const places = [...new Set([...measure.traces.keys(), ...got.keys()])].filter((where) => !measure.varies.includes(where)).sort();
  const deviations = places.flatMap((where): Deviation[] => {
    const { stock, ours } = settled(measure.traces.get(where) ?? [], got.get(where) ?? []);
    const different = firstDifference(stock, ours);
    if (different === -1) return [];
    const notAllowed = firstNotAllowed(stock, ours);
    const at = notAllowed === -1 ? different : notAllowed;
    const line = aroundTheDifference(stock[at] ?? NOTHING, ours[at] ?? NOTHING, notAllowed === -1);
    return [{ where, weight: notAllowed === -1 ? 'allowed' : weightOf(where, stock, ours), expected: shown(excerpt(stock, at)), got: shown(excerpt(ours, at)), line }];
  });
  if (measure.end !== null && measure.end !== endOf(played)) deviations.push({ where: 'exit', weight: 'ends', expected: measure.end, got: shown(`${endOf(played)}\n${played.plain(played.stderr).trim().split('\n').slice(0, 6).join('\n')}`) });
  const stdout = played.plain(played.stdout);
  if (measure.stdout !== null && measure.stdout !== stdout) deviations.push({ where: 'stdout', weight: 'clients', expected: shown(measure.stdout), got: shown(stdout) });
  return deviations.sort((one, other) => WEIGHTS.indexOf(one.weight) - WEIGHTS.indexOf(other.weight));
}

/** Lines as a person reads them: no longer and no more than fit. */
const shown = (text: string): string => text.split('\n').slice(0, 12).map((line) => (line.length > 300 ? `${line.slice(0, 300)}…` : line)).join('\n');

/** Where one side has no line any more. */
const NOTHING = '(nothing more)';

/** How much a difference matters to a user: what clients get, then events that come or do not come, then values. The lines are those of one subject. */
function weightOf(where: string, expected: readonly string[], got: readonly string[]): Weight {
  if (/ client/.test(where)) return 'clients';
  if (got.length === 0) return 'events';
  const events = (lines: readonly string[]): string => lines.map(eventOf).join('\n');
  return events(expected) === events(got) ? 'values' : 'events';
}

/** The messages around them are not seen here, so whatever the order of 'exit' and 'disconnect', it can be a race (P-5). */
const settled = (stock: string[], ours: string[]): { stock: string[]; ours: string[] } => settleEnd(stock, ours, endsReversed);

/** A line without its values: "worker 'exit'" of "worker 'exit' 0 null". */
const eventOf = (line: string): string => /^(?:\w+ )?'\w+'/.exec(line)?.[0] ?? line.split(' ')[0] ?? '';

const endOf = ({ code, signal }: Played): string => `code ${code}, signal ${signal}`;

/** The colours of a terminal. */
const COLOURS = /\u001B\[[\d;]*m/g;

/**
 * The runtime's own words for something that it does not have. "Directory import … is not supported" and its like with a
 * code of Node's (ERR_UNSUPPORTED_DIR_IMPORT) are what Node itself says to a program.
 */
function lackOf(stderr: string): string | null {
  const lacks = /\b(?:not (?:yet )?implemented|ERR_NOT_IMPLEMENTED|ERR_METHOD_NOT_IMPLEMENTED|Cannot find module 'node:\w+'|Unknown option|No such built-in module)\b/i;
  const line = stderr.replace(COLOURS, '').split('\n').find((text) => lacks.test(text) || (/\bis not supported\b/i.test(text) && !/\bERR_[A-Z]/.test(text)));
  return line?.trim().slice(0, 200) ?? null;
}

/** A runtime that falls over by itself, and not by an exception of the program. */
function crashOf({ signal, stderr }: Played): string | null {
  if (signal !== null && ['SIGSEGV', 'SIGABRT', 'SIGILL', 'SIGBUS', 'SIGTRAP'].includes(signal)) return signal;
  return /^.*(?:panicked at|panic\(|has panicked|Segmentation fault|oh no: Bun has crashed).*$/m.exec(stderr)?.[0].trim().slice(0, 200) ?? null;
}

const sameLines = (one: readonly string[], other: readonly string[]): boolean => {
  const { stock, ours } = settled([...one], [...other]);
  return firstDifference(stock, ours) === -1;
};
