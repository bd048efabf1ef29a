/**
 * npm run conformance: runs every scenario under Node's own implementation and under ours, on one or several
 * versions of Node, and prints how far the two are alike: sums by chapter of SPEC.md, and with --verbose or
 * --only clause by clause (conformance_table.ts explains the cells).
 *
 * The exit code is 1 if a scenario differs in a way that deliberate.ts does not allow, if a rule there no longer
 * matches, or if a scenario leaves no trace. It is also 1 if the lists do not agree: a clause without a scenario
 * though a program can observe it, or a name of a clause or a scenario that does not exist.
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
import { foreign } from './runtimes/foreign';
import { sums as sumsOfRuntimes } from './runtimes/matrix';

interface Run {
  readonly scenario: string;
  readonly version: Version;
}

/** Milliseconds of one scenario on one Node, both sides, with 2 CPUs: 896 of them took 19 minutes. */
const COST = 1270;

runTool({
  name: 'conformance',
  usage: 'npm run conformance --',
  about: 'Runs every scenario under node:cluster and under ours, and prints how far they are alike.\nExit code 1: a scenario differs where it must not.',
  takes: 'about 1.3 s for each scenario and Node on 2 CPUs: all scenarios some 5 minutes for each Node',
  example: 'npm run conformance -- --node 20,22 --only Q-8',
  options: {
    node: { takes: 'text', default: process.versions.node.split('.')[0] as string, about: 'major versions, as in 20,22; a missing one is downloaded into .nodes' },
    only: { takes: 'text', about: 'a regular expression: scenarios by name, or clauses as I-2\\d; all by default' },
    jobs: { takes: 'whole number', default: 4, about: 'scenarios at a time' },
    runtime: { takes: 'text', about: 'judges these instead, by what any program can see: bun, deno, node@26, ours@26, a path; with commas' },
    measure: { takes: 'text', default: 'node@26', about: 'with --runtime: the stock Node that says what is right' },
    preload: { takes: 'text', about: 'with --runtime: a file that each runtime loads first' },
    wire: { takes: 'nothing', about: "with --runtime: the messages of Node's protocol count too" },
    out: { takes: 'text', default: '.bench/conformance', about: 'with --runtime: where matrix.md, matrix.json and matrix.html go' },
    verbose: { takes: 'nothing', about: 'prints every clause with its scenarios; by default sums, and what is not fine' },
  },
}, ({ values }) => main(values));

interface Given {
  readonly node: string;
  readonly only: string | undefined;
  readonly jobs: number;
  readonly verbose: boolean;
  readonly runtime: string | undefined;
  readonly measure: string;
  readonly preload: string | undefined;
  readonly wire: boolean;
  readonly out: string;
}

async function main(given: Given): Promise<void> {
  const { node, only, jobs, verbose } = given;
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

/** Other runtimes, judged by what any program can see. The exit code says only whether the matrix could be written. */
async function judgeRuntimes(runtimes: readonly string[], scenarios: readonly string[], { measure, preload, wire, jobs, out }: Given): Promise<void> {
  const directory = path.resolve(out);
  const matrix = await foreign({ runtimes, scenarios, measure, preload: preload === undefined ? null : path.resolve(preload), wire, jobs, out: directory });
  for (const { runtime, counts } of sumsOfRuntimes(matrix)) {
    console.log(`${paint('bold', runtime)}: ${Object.entries(counts).filter(([, count]) => count > 0).map(([result, count]) => `${count} ${result}`).join(', ')}`);
  }
  console.log(`${directory}/matrix.md, matrix.json, matrix.html`);
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
