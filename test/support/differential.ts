/**
 * Says where two runs of one scenario differ, one under `node:cluster` and one under ours.
 *
 *   runScenario(file, { node, implementation }) → Trace          scenario_run.ts
 *   compare(stock, ours, { scenario, rules })   → Difference[]
 *
 * A trace has for each process ("P", "W1", and "C1" where there is no cluster) and each subject of it ("W1",
 * "client", "self") the lines in their order. Only lines of one process and one subject are compared with each other: between
 * two workers, or between a client and a worker, the order is the kernel's. Compared besides: exit
 * code and signal of the primary (a worker's are in its 'exit' events), and stdout.
 *
 * What is made equal before, in `normalise` (trace_lines.ts):
 *   ports, fds, paths, pids     written as <port>, <fd>, <dir>, <root>; none is in a scenario's text
 *   seq                         left out
 *   ack                         named by what it answers: "reply to queryServer 2"
 *   hand-offs                   one line for each accepted connection, as a subject of its own (D2)
 *   'exit' before 'disconnect'  put right where it came of a race, see `settleEnd` (P-5)
 * Everything else that may differ is a rule of `test/differential/deliberate.ts`, and has a number.
 */
import { staleDeaths } from './deaths';
import { scenarioFile } from './scenarios';
import type { Trace } from './scenario_run';
import type { Implementation, Traces } from './trace_lines';

export interface Difference {
  /** "P W1", or "exit", "stdout", "rule D3". */
  readonly where: string;
  readonly stock: string;
  readonly ours: string;
}

/**
 * One intended difference. Its patterns are lines that only one of the two may show: they are taken
 * out before the comparison, and have to be there, so that no rule outlives what it describes.
 */
export interface Rule {
  /** As in the sources: "D3". "new" where it has not got a number yet. */
  readonly number: string;
  /** The clauses of the behaviour specification that it is about. */
  readonly clause: string;
  readonly scenario: string | readonly string[];
  readonly what: string;
  /** On which major versions of Node the two differ; all of them by default. */
  readonly versions?: readonly number[];
  readonly stockOnly?: readonly Line[];
  readonly oursOnly?: readonly Line[];
  /** What is cut out of the lines of both; before that they have to differ. */
  readonly cut?: readonly RegExp[];
  /** The programs end differently. */
  readonly exit?: true;
}

/** A line of one sub-trace, e.g. `{ of: 'P W1', matches: /'disconnect'/ }`. */
export interface Line {
  readonly of: string;
  readonly matches: RegExp;
}

// ── comparing ────────────────────────────────────────────────────────────────────────────────────

export interface CompareOptions {
  readonly scenario: string;
  readonly rules?: readonly Rule[];
  /** The major version that both ran on. */
  readonly major?: number;
}

/** Where the two differ, after the rules have taken out what may; empty if nowhere. */
export function compare(stock: Trace, ours: Trace, { scenario, rules = [], major = nodeMajor() }: CompareOptions): Difference[] {
  const differences: Difference[] = [];
  const left = copy(stock.traces);
  const right = copy(ours.traces);
  const apply = rules.filter((rule) => applies(rule, scenario, major));
  for (const rule of apply) {
    for (const pattern of rule.cut ?? []) cutOut(pattern, left, right, rule, differences);
    for (const line of rule.stockOnly ?? []) takeOut(line, left, right, rule, 'stock', differences);
    for (const line of rule.oursOnly ?? []) takeOut(line, right, left, rule, 'ours', differences);
  }
  for (const where of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const lines = settleEnd(left.get(where) ?? [], right.get(where) ?? []);
    const at = firstDifference(lines.stock, lines.ours);
    if (at !== -1) differences.push({ where, stock: excerpt(lines.stock, at), ours: excerpt(lines.ours, at) });
  }
  const ends = [stock, ours].map(({ code, signal }) => `code ${code}, signal ${signal}`) as [string, string];
  if ((ends[0] !== ends[1]) !== apply.some((rule) => rule.exit === true)) {
    differences.push({ where: 'exit', stock: `${ends[0]}
${stock.stderr}`, ours: `${ends[1]}
${ours.stderr}` });
  }
  for (const death of staleDeaths(scenarioFile(scenario), [...stock.died, ...ours.died], major)) {
    differences.push({ where: 'deaths', stock: `no such end: ${death}`, ours: `no such end: ${death}` });
  }
  if (stock.stdout !== ours.stdout) differences.push({ where: 'stdout', stock: stock.stdout, ours: ours.stdout });
  return differences;
}

/** A difference as a person wants to read it. */
export function describeDifference({ where, stock, ours }: Difference): string {
  const indent = (text: string): string => text.split('\n').map((line) => `    ${line}`).join('\n');
  return `${where}\n  stock:\n${indent(stock)}\n  ours:\n${indent(ours)}`;
}

/**
 * The end of a worker is told as 'disconnect', then 'exit' (P-5). When its last message, the end of
 * its channel and its death reach the primary in one turn, the two may come the other way round, under
 * Node as under ours. Where that has happened in one of the two runs, and right after a message or
 * what it caused, both are brought to the usual order; what was looked at in between is left out, and
 * which of the two is the last state.
 */
export function settleEnd(stock: string[], ours: string[], isReversed: (lines: readonly string[]) => boolean = endsReversedByARace): { stock: string[]; ours: string[] } {
  if (isReversed(stock) === isReversed(ours)) return { stock, ours };
  const settle = (lines: readonly string[]): string[] => {
    const events = lines.filter((line) => !/^at (process )?'/.test(line));
    const first = events.findIndex((line) => isExit(line) || isDisconnect(line));
    const end = events.slice(first).map((line) => line.replace(/state: '(dead|disconnected)'/, 'state: <ended>'));
    const others = end.filter((line) => !isDisconnect(line) && !isOfEmptyTable(line));
    return [...events.slice(0, first), ...end.filter(isDisconnect), ...end.filter(isOfEmptyTable), ...others];
  };
  return { stock: settle(stock), ours: settle(ours) };
}

const isExit = (line: string): boolean => /^(worker|cluster|child) 'exit'/.test(line);
/** What `cluster.disconnect` calls when the table is empty: with the second of the two, before an 'exit' that is it (C-41). */
const isOfEmptyTable = (line: string): boolean => /^(callback \d|in the callback:)/.test(line);
const isDisconnect = (line: string): boolean => /^(worker|cluster|child) 'disconnect'/.test(line);

/** A message, or what comes of one in the same turn. */
const ofAMessage = /^(received |sent reply |(worker|cluster|child) '(message|online|listening)'|at '(online|listening)')/;

function endsReversedByARace(lines: readonly string[]): boolean {
  return endsReversed(lines) && ofAMessage.test(lines[lines.findIndex(isExit) - 1] ?? '');
}

/** True if a worker's 'exit' comes before its 'disconnect'. */
export function endsReversed(lines: readonly string[]): boolean {
  const exit = lines.findIndex(isExit);
  return exit !== -1 && exit < lines.findIndex(isDisconnect);
}

const applies = (rule: Rule, scenario: string, major: number): boolean =>
  [rule.scenario].flat().includes(scenario) && (rule.versions?.includes(major) ?? true);

function cutOut(pattern: RegExp, stock: Traces, ours: Traces, rule: Rule, differences: Difference[]): void {
  const matched = (traces: Traces): string => [...traces].sort().flatMap(([key, lines]) =>
    lines.filter((line) => pattern.test(line)).map((line) => `${key}: ${line}`)).join('\n');
  if (matched(stock) === matched(ours)) {
    differences.push({ where: `rule ${rule.number} (${String(pattern)})`, stock: 'the same without it', ours: 'the same without it' });
  }
  for (const traces of [stock, ours]) {
    for (const [key, lines] of traces) traces.set(key, lines.map((line) => line.replace(pattern, '')).filter((line) => line !== ''));
  }
}

function takeOut(line: Line, from: Traces, other: Traces, rule: Rule, side: Implementation, differences: Difference[]): void {
  const count = (traces: Traces): number => (traces.get(line.of) ?? []).filter((text) => line.matches.test(text)).length;
  const stale = count(from) === 0 || count(other) > 0;
  if (stale) {
    const says = (traces: Traces): string => (traces.get(line.of) ?? []).join('\n');
    const [stock, ours] = side === 'stock' ? [from, other] : [other, from];
    differences.push({ where: `rule ${rule.number} (${String(line.matches)} of ${line.of}, ${side} only)`, stock: says(stock), ours: says(ours) });
  }
  const left = (from.get(line.of) ?? []).filter((text) => !line.matches.test(text));
  if (left.length > 0) from.set(line.of, left);
  else from.delete(line.of);
}

const copy = (traces: Traces): Traces => new Map([...traces].map(([key, lines]) => [key, [...lines]]));

export function firstDifference(stock: readonly string[], ours: readonly string[]): number {
  const length = Math.max(stock.length, ours.length);
  for (let at = 0; at < length; at++) if (stock[at] !== ours[at]) return at;
  return -1;
}

/** The line in question, marked, between its neighbours. */
export function excerpt(lines: readonly string[], at: number): string {
  const from = Math.max(0, at - 3);
  const shown = lines.slice(from, at + 4).map((line, index) => `${from + index === at ? '►' : ' '} ${line}`);
  if (at >= lines.length) shown.push('► (nothing more)');
  return shown.join('\n');
}

function nodeMajor(): number {
  return Number(process.versions.node.split('.')[0]);
}
