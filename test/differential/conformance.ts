/**
 * Runs every scenario under Node's own implementation and under ours, on one or several versions of
 * Node, and prints clause by clause whether the two are alike:
 *
 *   npm run conformance -- [--node 20,22,24,26] [--only PATTERN] [--jobs N]
 *
 * --node   major versions; the one at hand by default. A missing one is installed with npm into
 *          .nodes/<version>, which git ignores.
 * --only   a regular expression: scenarios by name, or clauses as in I-2\d
 * --jobs   scenarios at a time, 4 by default; each is two programs and their children
 *
 * Cells    ok: alike · D4: differs as deliberate.ts says · FAIL: differs otherwise
 * Ends     with 1 on a FAIL (a rule that no longer matches is one as well), on a clause that no
 *          scenario covers though a program can observe it, and on a clause or scenario that is named
 *          somewhere and does not exist; with 2 on a wrong argument. A scenario that leaves no trace is a FAIL
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { compare, coveredClauses, describeDifference, runScenario, scenarioFile, scenarios } from '../support/differential';
import { root } from '../support/program';
import { WrongArgument, owning, runTool, versionOfNode } from '../support/tool';
import { clauses } from './clauses';
import { rules } from './deliberate';

interface Version {
  readonly major: number;
  readonly node: string;
  /** "20.20.2" */
  readonly exact: string;
}

interface Run {
  readonly scenario: string;
  readonly version: Version;
}

interface Outcome extends Run {
  readonly differences: readonly string[];
}

runTool({
  name: 'conformance',
  usage: 'npm run conformance --',
  about: 'Runs every scenario under node:cluster and under ours, and prints clause by clause whether they\nare alike. Exit code 1: they are not.',
  takes: 'about 1.2 s for each scenario and Node on 2 CPUs: all scenarios some 5 minutes for each Node',
  example: 'npm run conformance -- --node 20,22 --only Q-8',
  options: {
    node: { takes: 'text', default: process.versions.node.split('.')[0] as string, about: 'major versions, as in 20,22; a missing one is downloaded into .nodes' },
    only: { takes: 'text', about: 'a regular expression: scenarios by name, or clauses as I-2\\d; all by default' },
    jobs: { takes: 'whole number', default: 4, about: 'scenarios at a time' },
  },
}, ({ values }) => main(values));

async function main({ node, only, jobs }: { node: string; only: string | undefined; jobs: number }): Promise<void> {
  const majors = node.split(',').map((text) => {
    if (!/^[1-9]\d*$/.test(text)) throw new WrongArgument(`--node takes major versions, as in 20,22, not '${node}'`);
    return Number(text);
  });
  const pattern = patternOf(only);
  const names = scenarios().filter((name) => pattern.test(name) || coveredClauses(name).some((id) => pattern.test(id)));
  if (names.length === 0) throw new WrongArgument(`--only '${only}' matches no scenario and no clause of one`);

  const versions: Version[] = [];
  for (const major of new Set(majors)) versions.push(await versionOf(major));
  const started = Date.now();
  const outcomes = await runAll(names.flatMap((scenario) => versions.map((version): Run => ({ scenario, version }))), jobs);

  printTable(outcomes, versions, only === undefined);
  const failed = outcomes.filter(({ differences }) => differences.length > 0);
  for (const { scenario, version, differences } of failed) console.log(`\n${scenario} on ${version.exact}\n${differences.join('\n')}`);
  const flaws = only === undefined ? flawsOfTheLists() : [];
  if (flaws.length > 0) console.log(`\n${flaws.join('\n')}`);
  printCounts(outcomes, names, Date.now() - started);
  process.exitCode = failed.length > 0 || flaws.length > 0 ? 1 : 0;
}

function patternOf(only = '.'): RegExp {
  try {
    return new RegExp(only);
  } catch (error) {
    throw new WrongArgument(`--only takes a regular expression: ${(error as Error).message}`);
  }
}

// ── versions of Node ─────────────────────────────────────────────────────────────────────────────

const currentMajor = Number(process.versions.node.split('.')[0]);

async function versionOf(major: number): Promise<Version> {
  if (major === currentMajor) return { major, node: process.execPath, exact: process.versions.node };
  const directory = path.join(root, '.nodes', String(major));
  const node = path.join(directory, 'node_modules/node/bin/node');
  if (!existsSync(node)) await install(major, directory);
  const exact = versionOfNode(node);
  if (!exact.startsWith(`${major}.`)) throw new WrongArgument(`${node} is Node ${exact}: remove ${directory}`);
  return { major, node, exact };
}

/** Beside the place first, so that a Node is there as a whole or not at all. */
async function install(major: number, directory: string): Promise<void> {
  console.error(`installing Node ${major} in ${path.relative(process.cwd(), directory)}`);
  const partial = `${directory}.${process.pid}`;
  const release = owning(partial);
  mkdirSync(partial, { recursive: true });
  const code = await new Promise((resolve, reject) => {
    const npm = spawn('npm', ['install', '--prefix', partial, '--no-audit', '--no-fund', '--loglevel=error', `node@${major}`], { stdio: ['ignore', 2, 2] });
    npm.on('error', reject).on('exit', resolve);
  });
  if (code !== 0) throw new WrongArgument(`npm could not install node@${major}`);
  renameSync(partial, directory);
  release();
}

// ── running ──────────────────────────────────────────────────────────────────────────────────────

async function runAll(runs: readonly Run[], jobs: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let at = 0;
  const worker = async (): Promise<void> => {
    for (let run = runs[at++]; run !== undefined; run = runs[at++]) {
      outcomes.push(await outcomeOf(run));
      showProgress(outcomes, runs.length);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
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

/** One line that is written over on a terminal; elsewhere a line now and then. */
function showProgress(outcomes: readonly Outcome[], total: number): void {
  const done = outcomes.length;
  const failed = outcomes.filter(({ differences }) => differences.length > 0).length;
  const { scenario, version } = outcomes.at(-1) as Outcome;
  const line = `${done}/${total}, ${failed} different: ${scenario} on ${version.major}`;
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line.slice(0, process.stderr.columns - 1)}`);
  else if (done % 25 === 0 || done === total) process.stderr.write(`${line}\n`);
}

// ── printing ─────────────────────────────────────────────────────────────────────────────────────

function printTable(outcomes: readonly Outcome[], versions: readonly Version[], all: boolean): void {
  const ran = [...new Set(outcomes.map(({ scenario }) => scenario))].sort();
  const header = ['clause', ...versions.map(({ exact }) => exact), 'scenarios'];
  const rows: string[][] = [];
  for (const { id, title, observable, reason } of clauses) {
    const covering = ran.filter((name) => coveredClauses(name).includes(id));
    if (covering.length > 0) rows.push([id, ...versions.map((version) => cell(id, version, covering, outcomes)), covering.join(', ')]);
    else if (all) rows.push([id, ...versions.map(() => (observable ? 'NONE' : '-')), observable ? title : `(${title}: ${reason})`]);
  }
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => (row[column] as string).length)));
  const print = (row: readonly string[]): void => console.log(row.map((text, column) => (column === row.length - 1 ? text : text.padEnd(widths[column] as number))).join('  '));
  [header, ...rows].forEach(print);
}

/** What came of the scenarios of one clause on one Node. */
function cell(id: string, { major }: Version, covering: readonly string[], outcomes: readonly Outcome[]): string {
  const ours = outcomes.filter(({ scenario, version }) => version.major === major && covering.includes(scenario));
  if (ours.some(({ differences }) => differences.length > 0)) return 'FAIL';
  const numbers = covering.flatMap((scenario) => rulesOf(scenario, major)).filter(({ clause }) => clause === id).map(({ number }) => number);
  return [...new Set(numbers)].join(' ') || 'ok';
}

function rulesOf(scenario: string, major: number): typeof rules {
  return rules.filter((rule) => [rule.scenario].flat().includes(scenario) && (rule.versions?.includes(major) ?? true));
}

function printCounts(outcomes: readonly Outcome[], names: readonly string[], milliseconds: number): void {
  const cited = new Set(names.flatMap(coveredClauses));
  const observable = clauses.filter((clause) => clause.observable).length;
  const different = outcomes.filter(({ differences }) => differences.length > 0).length;
  const deliberate = outcomes.filter(({ scenario, version, differences }) => differences.length === 0 && rulesOf(scenario, version.major).length > 0).length;
  console.log(`\n${names.length} scenarios cite ${cited.size} clauses; ${observable} of ${clauses.length} can be observed`);
  console.log(`${outcomes.length} runs in ${Math.round(milliseconds / 1000)} s: ${outcomes.length - deliberate - different} alike, ${deliberate} deliberately different, ${different} different`);
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
