/**
 * npm run bench: measures our cluster against stock Node and the other ways to share a port, all on loopback.
 *
 * The Node that runs this file is the Node that is measured, on both sides. Progress goes to stderr, the table to
 * stdout. Everything is written to bench/results/, which git ignores: as JSON, and as Markdown for bench/README.md.
 * A figure that falls short of its goal is marked in the table, and is no failure of the run.
 *
 * `peers` is a run of its own (all/run.ts): every way to share a port, other runtimes included. `--all` makes both.
 *
 * Uses     rows/, bench.ts, report.ts, all/run.ts
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { announce, duration, paint, Progress } from '../test/support/terminal';
import { WrongArgument, runTool } from '../test/support/tool';
import { chosenBy, durationOf, measurePeers, savePeers, type Chosen } from './all/run';
import { peersMarkdown } from './all/report';
import { Bench, FULL, QUICK } from './bench';
import type { Chart, Figure } from './figures';
import { thisMachine } from './machine';
import { MEASURES, peerRows } from './peers_table';
import { LEGEND, markdownReport, terminalTable, type Outcome } from './report';
import { rows } from './rows';
import type { Row } from './rows/row';

const RESULTS = path.join(__dirname, 'results');
/** Milliseconds of one row, on average: all of them took 14 minutes on 2 CPUs. A quick one has 2 of 7 pairs, in shorter windows. */
const FULL_ROW = 60_000;
const QUICK_ROW = FULL_ROW / 7;

runTool({
  name: 'bench',
  usage: 'npm run bench --',
  about: 'Measures our cluster against stock Node and the other ways to share a port.\nExit code 1: a server, a worker or a connection failed.',
  takes: 'all rows: 10 to 15 minutes on 2 CPUs, so about a minute for each row; much less with --quick',
  example: 'npm run bench -- tcp latency',
  options: {
    quick: { takes: 'nothing', about: 'few and short windows, to see that a row works. Do not believe its figures' },
    all: { takes: 'nothing', about: 'every row, and then the peers: all ways to share a port, other runtimes too. Takes about 40 minutes' },
    list: { takes: 'nothing', about: 'prints the names of the rows, of the peers and of their measures, and ends' },
    verbose: { takes: 'nothing', about: 'prints each sample, and a wider table with the spread of the pairs' },
  },
  positionals: { name: '[rows] | peers [names]', about: 'which rows; all by default. Or `peers`, and which measures and which peers; all by default' },
}, async ({ values, positionals }) => {
  if (values.list) return list();
  if (values.all && positionals.length > 0) throw new WrongArgument('--all names everything: write no rows beside it');
  const peers = values.all || positionals[0] === 'peers' ? chosenBy(positionals.slice(1)) : null;
  if (positionals[0] !== 'peers') await runRows(values, positionals);
  if (peers !== null) await runPeers(values, peers, values.all || positionals.length === 1);
});

function list(): void {
  const line = (name: string, about: string): void => console.log(`${name.padEnd(14)}${about}`);
  for (const { name, about } of rows) line(name, about);
  console.log('\npeers, measures:');
  for (const [name, about] of Object.entries(MEASURES)) line(name, about);
  console.log('\npeers:');
  for (const { id, title } of peerRows) line(id, title);
}

interface Given {
  readonly quick: boolean;
  readonly verbose: boolean;
}

/** Runs `work` with a bench, and stops at its end whatever still runs. */
async function withBench(values: Given, work: (bench: Bench) => Promise<void>): Promise<void> {
  const progress = new Progress(0);
  const bench = new Bench(values.quick ? QUICK : FULL, (line) => {
    if (!values.verbose && !line.startsWith('──')) return progress.show(line);
    progress.clear();
    process.stderr.write(`${line}\n`);
  });
  try {
    await work(bench);
  } finally {
    progress.clear();
    await bench.close();
  }
}

async function runPeers(values: Given, chosen: Chosen, whole: boolean): Promise<void> {
  announce('bench', `${chosen.rows.length} of ${peerRows.length} peers, about ${duration((durationOf(chosen.measures, values.quick) * chosen.rows.length) / peerRows.length)}`);
  await withBench(values, async (bench) => {
    const outcome = await measurePeers(bench, chosen);
    console.log(peersMarkdown(outcome));
    console.log(savePeers(outcome, RESULTS, whole && !values.quick ? 'full' : 'partial').map((file) => path.relative(process.cwd(), file)).join('\n'));
  });
}

async function runRows(values: Given, positionals: readonly string[]): Promise<void> {
  const unknown = positionals.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0) throw new WrongArgument(`no such row: ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}, and peers`);
  const chosen = rows.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  announce('bench', `${chosen.length} of ${rows.length} rows, about ${duration(chosen.length * (values.quick ? QUICK_ROW : FULL_ROW))}`);
  await withBench(values, (bench) => measure(bench, chosen, values));
}

async function measure(bench: Bench, chosen: readonly Row[], { quick, verbose }: { readonly quick: boolean; readonly verbose: boolean }): Promise<void> {
  const machine = thisMachine();
  const started = performance.now();
  const figures: Figure[] = [];
  const charts: Chart[] = [];
  const notes: string[] = [];
  for (const row of chosen) {
    const begun = performance.now();
    bench.say(`── ${row.name}: ${row.about}`);
    const result = await row.run(bench);
    figures.push(...result.figures);
    charts.push(...(result.charts ?? []));
    notes.push(...(result.notes ?? []));
    bench.say(`── ${row.name} took ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }
  const outcome: Outcome = { machine, pairs: bench.pairs, seconds: (performance.now() - started) / 1000, figures, charts, notes };
  console.log(`\nNode ${machine.node}, ${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}, commit ${machine.commit}\n`);
  const [head = '', ...lines] = terminalTable(figures, verbose).split('\n');
  console.log([paint('bold', head), ...lines.map((line) => (/ NO$/.test(line) ? paint('red', line) : line))].join('\n'));
  console.log(`\n${LEGEND}`);
  for (const note of notes) console.log(`not measured: ${note}`);
  save(outcome, quick || chosen.length < rows.length ? 'partial' : 'full');
}

function save(outcome: Outcome, kind: string): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = path.join(RESULTS, `${kind}-node${outcome.machine.node.split('.')[0]}`);
  writeFileSync(`${file}.json`, `${JSON.stringify(outcome, null, 1)}\n`);
  writeFileSync(`${file}.md`, markdownReport(outcome));
  console.log(`\n${path.relative(process.cwd(), file)}.md and .json`);
}
