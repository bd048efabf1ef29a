/**
 * npm run conformance: runs every scenario under Node's own implementation and under ours, on one or several
 * versions of Node, and prints how far the two are alike: sums by chapter of SPEC.md, and with --verbose or
 * --only clause by clause (conformance_table.ts explains the cells).
 *
 * The exit code is 1 if a scenario differs in a way that deliberate.ts does not allow, if a rule there no longer
 * matches, or if a scenario leaves no trace. It is also 1 if the lists do not agree: a clause without a scenario
 * though a program can observe it, or a name of a clause or a scenario that does not exist.
 *
 * With --runtime it judges other runtimes instead (runtimes/foreign.ts), with --compare it compares two such runs.
 *
 * A version of Node that is missing is installed with npm into .nodes/<version>, which git ignores.
 *
 * Uses     scenarios/ and scenarios_fork/, clauses.ts, deliberate.ts, conformance_table.ts
 */
import path from 'node:path';
import { compare, describeDifference } from '../support/differential';
import { runScenario } from '../support/scenario_run';
import { coveredClauses, scenarioFile, scenarios } from '../support/scenarios';
import { Progress, announce, counted, duration, paint } from '../support/terminal';
import { WrongArgument, runTool } from '../support/tool';
import { clauses } from './clauses';
import { clauseTable, counts, isFine, sums, type Outcome, type Version } from './conformance_table';
import { rules } from './deliberate';
import { nodeOf } from './nodes';
import { compareRuns, readMatrix } from './runtimes/compare';
import { foreign } from './runtimes/foreign';
import { seenIn } from './runtimes/markdown';
import { MARKS, RESULTS, deliberateOf, differing, sums as sumsOfRuntimes, withoutDeliberate } from './runtimes/matrix';
import { othersThat, printedBy } from './runtimes/others';
import { runtimeOf, type Runtime } from './runtimes/runtime';

interface Run {
  readonly scenario: string;
  readonly version: Version;
}

/** Milliseconds of one scenario on one Node, both sides, with 2 CPUs: 896 of them took 19 minutes. */
const COST = 1270;

runTool({
  name: 'conformance',
  usage: 'npm run conformance --',
  about: 'Runs every scenario under node:cluster and under ours, and prints how far they are alike.\nExit code 1: a scenario differs where it must not; with --runtime: a runtime cannot be run;\nwith --compare: an unmarked difference; with --others: Node does not print what a\nprogram says.',
  takes: 'about 1.3 s for each scenario and Node on 2 CPUs: all scenarios some 5 minutes for each Node',
  example: 'npm run conformance -- --node 20,22 --only Q-8\n  npm run conformance -- --runtime bun,deno,node@26,ours@26 --out /tmp/one\n  npm run conformance -- --compare /tmp/one,/tmp/two',
  options: {
    node: { takes: 'text', default: process.versions.node.split('.')[0] as string, about: 'major versions, as in 20,22; a missing one is downloaded into .nodes' },
    only: { takes: 'text', about: 'a regular expression: scenarios by name, or clauses as I-2\\d; with --others programs by name; all by default' },
    jobs: { takes: 'whole number', default: 4, about: 'scenarios at a time' },
    runtime: { takes: 'text', about: 'judges these instead, by what any program can see: bun, deno, bun@1.2.0, node@26, ours@26, or a path (with a slash); with commas' },
    measure: { takes: 'text', about: 'with --runtime: the stock Node that says what is right, as in node@24. By default a Node, and ours on a Node, is measured by that Node, and all others by node@26' },
    preload: { takes: 'text', about: 'with --runtime: a file that each runtime loads before a scenario' },
    wire: { takes: 'nothing', about: "with --runtime: the messages of Node's protocol count too" },
    out: { takes: 'text', default: '.bench/conformance', about: 'with --runtime: where matrix.md, matrix.json, matrix.html, differences.md and plays.jsonl go. A run that was interrupted goes on with what is there' },
    measures: { takes: 'text', about: 'with --runtime: the --out of an earlier run, whose runs on the measuring Nodes are used again' },
    judge: { takes: 'nothing', about: 'with --runtime: plays nothing, and judges what --out has, also if a scenario or our build has changed since' },
    also: { takes: 'text', about: 'with --judge: the --out of a second run of the same runtimes, whose plays count too; what differs between the two is flaky' },
    compare: { takes: 'text', about: 'compares two such runs, as in DIR1,DIR2, and runs nothing' },
    others: { takes: 'nothing', about: 'plays the programs of test/differential/others, each of which shows one difference of another runtime, under Node 26 and the runtimes that they name' },
    verbose: { takes: 'nothing', about: 'prints every clause with its scenarios; with --runtime every scenario that differs, and where; by default sums, and what is not fine' },
  },
}, ({ values }) => main(values));

interface Given {
  readonly node: string;
  readonly only: string | undefined;
  readonly jobs: number;
  readonly verbose: boolean;
  readonly runtime: string | undefined;
  readonly measure: string | undefined;
  readonly preload: string | undefined;
  readonly wire: boolean;
  readonly out: string;
  readonly measures: string | undefined;
  readonly judge: boolean;
  readonly also: string | undefined;
  readonly compare: string | undefined;
  readonly others: boolean;
}

/** The options that only `--runtime` uses. `--out` is one too, but it has a default: whether it was given is not seen. */
const WITH_RUNTIME = ['measure', 'preload', 'wire', 'measures', 'judge', 'also'] as const;

async function main(given: Given): Promise<void> {
  const { node, only, jobs, verbose } = given;
  const unused = given.runtime === undefined ? WITH_RUNTIME.find((option) => given[option] !== undefined && given[option] !== false) : undefined;
  if (unused !== undefined) throw new WrongArgument(`--${unused} goes with --runtime: name the runtimes that are judged`);
  if (given.compare !== undefined) return compareTwo(given.compare);
  if (given.others) return playOthers(patternOf(only));
  const majors = node.split(',').map((text) => {
    if (!/^[1-9]\d*$/.test(text)) throw new WrongArgument(`--node takes major versions, as in 20,22, not '${node}'`);
    return Number(text);
  });
  const pattern = patternOf(only);
  const names = scenarios().filter((name) => pattern.test(name) || coveredClauses(name).some((id) => pattern.test(id)));
  if (names.length === 0) throw new WrongArgument(`--only '${only}' matches no scenario and no clause of one`);

  if (given.runtime !== undefined) return judgeRuntimes(given.runtime.split(','), names, given);

  const versions: Version[] = [];
  for (const major of new Set(majors)) versions.push(await versionOf(major));
  const started = Date.now();
  const total = names.length * versions.length;
  announce('conformance', `${counted(names.length, 'scenario')} on ${versions.map(({ exact }) => exact).join(', ')}, about ${duration(total * COST)}`);
  const outcomes = await runAll(names.flatMap((scenario) => versions.map((version): Run => ({ scenario, version }))), jobs);

  // Where only some clauses were asked for there is nothing to sum up.
  const all = only === undefined;
  const table = verbose || !all ? clauseTable(outcomes, versions, all) : sums(outcomes, versions);
  const [head = '', ...lines] = table.split('\n');
  console.log([paint('bold', head), ...lines.map((line) => (isFine(line) ? line : paint('red', line)))].join('\n'));
  const failed = outcomes.filter(({ differences }) => differences.length > 0);
  for (const { scenario, version, differences } of failed) console.log(`\n${paint('red', `${scenario} on ${version.exact}`)}\n${differences.join('\n')}`);
  const flaws = all ? flawsOfTheLists() : [];
  if (flaws.length > 0) console.log(`\n${flaws.join('\n')}`);
  const isGood = failed.length === 0 && flaws.length === 0;
  console.log(`\n${paint(isGood ? 'green' : 'red', counts(outcomes, names, Date.now() - started))}`);
  process.exitCode = isGood ? 0 : 1;
}

/** Other runtimes, judged by what any program can see. The exit code says whether each of them could be run, not how like Node they are. */
async function judgeRuntimes(runtimes: readonly string[], scenarios: readonly string[], { measure, preload, wire, jobs, out, measures, judge, also, verbose }: Given): Promise<void> {
  const directory = path.resolve(out);
  if (also !== undefined && !judge) throw new WrongArgument('--also goes with --judge: a second run is judged with a first one, and nothing is played');
  const matrix = await foreign({
    runtimes, scenarios, measure: measure ?? null, preload: preload === undefined ? null : path.resolve(preload), wire, jobs, out: directory,
    measures: measures === undefined ? null : path.resolve(measures), judgeOnly: judge,
    also: also === undefined ? null : path.resolve(also),
  });
  const without = withoutDeliberate(matrix);
  for (const [at, { runtime, counts }] of sumsOfRuntimes(matrix).entries()) {
    const { deliberate = 0, asOurs = 0 } = without[at] ?? {};
    const ofOurs = deliberate === 0 || runtime.startsWith('ours on ') ? '' : `; ${deliberate} of the ✗ where cluster-internals differs deliberately too, ${asOurs} of them in the same way`;
    console.log(`${paint('bold', runtime)}: ${RESULTS.filter((result) => counts[result] > 0).map((result) => `${counts[result]} ${result}`).join(', ')}${ofOurs}`);
    if (verbose) for (const { scenario, cell } of differing(matrix, at)) console.log(`  ${[MARKS[cell.is], scenario, deliberateOf(cell), seenIn(cell, runtime)].filter((text) => text !== '').join('  ')}`);
  }
  for (const { runtime, reason } of matrix.unusable) console.log(`${paint('red', runtime)}: ${reason}`);
  console.log(`${directory}/matrix.md, matrix.json, matrix.html`);
  process.exitCode = matrix.unusable.length === 0 ? 0 : 1;
}

/** Are two runs of the matrix equal, but for what is marked flaky? */
function compareTwo(directories: string): void {
  const [one, other, ...more] = directories.split(',');
  if (one === undefined || other === undefined || more.length > 0) throw new WrongArgument(`--compare takes two directories, as in DIR1,DIR2, not '${directories}'`);
  const { cells, flaky, differences } = compareRuns(readMatrix(one), readMatrix(other));
  for (const line of differences) console.log(paint('red', line));
  console.log(`${counted(cells, 'cell')} compared: ${differences.length} differ without a mark, ${flaky} marked flaky`);
  process.exitCode = differences.length === 0 ? 0 : 1;
}

/** Plays the filed differences. What a runtime prints by now may differ from what it printed: only Node has to be right. */
async function playOthers(pattern: RegExp): Promise<void> {
  const programs = othersThat(pattern);
  const runtimes = new Map<string, Runtime>();
  for (const name of ['node@26', 'bun', 'deno']) {
    const runtime = await runtimeOf(name, null);
    if (typeof runtime === 'string') console.log(paint('red', `${name}: ${runtime}`));
    else runtimes.set(runtime.title.split(' ')[0] ?? '', runtime);
  }
  let wrong = 0;
  for (const other of programs) {
    console.log(paint('bold', `${other.name}: ${other.about}`));
    for (const { runtime: title, text } of [other.node, ...other.runtimes]) {
      const runtime = runtimes.get(title.split(' ')[0] ?? '');
      if (runtime === undefined) continue;
      const printed = await printedBy(runtime, other);
      const isNode = title === other.node.runtime;
      const verdict = printed === text ? 'as filed' : !isNode && printed === other.node.text ? `as Node by now, not '${text}'` : `not '${text}'`;
      if (isNode && printed !== text) wrong++;
      console.log(`  ${runtime.title}: ${printed} (${verdict})`);
    }
  }
  process.exitCode = wrong === 0 ? 0 : 1;
}

function patternOf(only = '.'): RegExp {
  try {
    return new RegExp(only);
  } catch (error) {
    throw new WrongArgument(`--only takes a regular expression: ${(error as Error).message}`);
  }
}

// ── versions of Node ─────────────────────────────────────────────────────────────────────────────

async function versionOf(major: number): Promise<Version> {
  return { major, ...await nodeOf(String(major)) };
}

// ── running ──────────────────────────────────────────────────────────────────────────────────────

async function runAll(runs: readonly Run[], jobs: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const progress = new Progress(runs.length);
  let different = 0;
  let at = 0;
  const worker = async (): Promise<void> => {
    for (let run = runs[at++]; run !== undefined; run = runs[at++]) {
      const outcome = await outcomeOf(run);
      outcomes.push(outcome);
      if (outcome.differences.length > 0) different++;
      progress.step(`${different} different, ${run.scenario} on ${run.version.major}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  progress.clear();
  return outcomes;
}

async function outcomeOf({ scenario, version }: Run): Promise<Outcome> {
  const file = scenarioFile(scenario);
  const { node, major } = version;
  const results = await Promise.allSettled((['stock', 'ours'] as const).map((implementation) => runScenario(file, { node, implementation, deadline: 30_000 })));
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [String((result.reason as Error).message)] : []));
  const [stock, ours] = results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  if (stock === undefined || ours === undefined) return { scenario, version, differences: errors };
  return { scenario, version, differences: compare(stock, ours, { scenario, rules, major }).map(describeDifference) };
}

// ── the lists agree with each other ──────────────────────────────────────────────────────────────

function flawsOfTheLists(): string[] {
  const names = scenarios();
  const cited = new Set(names.flatMap(coveredClauses));
  const known = new Set(clauses.map(({ id }) => id));
  return [
    ...clauses.filter(({ id, observable }) => observable && !cited.has(id)).map(({ id, title }) => `${id} (${title}) has no scenario`),
    ...[...cited].filter((id) => !known.has(id)).map((id) => `${id} is cited and is not in clauses.ts`),
    ...rules.filter(({ clause }) => !known.has(clause)).map(({ number, clause }) => `${number} is about ${clause}, which is not in clauses.ts`),
    ...rules.flatMap(({ number, scenario }) => [scenario].flat().filter((name) => !names.includes(name)).map((name) => `${number} is about ${name}, which does not exist`)),
  ];
}
