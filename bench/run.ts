/**
 * Measures ours against stock Node and the other ways to share a port, everything on loopback:
 *
 *   npm run bench                        every row, under 15 minutes on two CPUs
 *   npm run bench -- tcp latency         some
 *   npm run bench -- --quick fork        few and short windows: to see that a row works, not to be believed
 *   npm run bench -- --list              the names of the rows
 *
 * The Node that runs this is the Node that is measured, on both sides. Progress goes to standard
 * error, the table to standard output; bench/results/, which git ignores, gets everything as JSON
 * and a chapter for bench/README.md as Markdown.
 *
 * Ends     with 1 if a server, a worker or a connection failed. A figure short of its goal is marked
 *          in the table, and is no failure. With 2 on a wrong argument
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { WrongArgument, runTool } from '../test/support/tool';
import { Bench, FULL, QUICK } from './bench';
import type { Chart, Figure } from './figures';
import { thisMachine } from './machine';
import { markdownReport, terminalTable, type Outcome } from './report';
import { rows } from './rows';

const RESULTS = path.join(__dirname, 'results');

runTool({
  name: 'bench',
  usage: 'npm run bench --',
  about: 'Measures ours against stock Node and the other ways to share a port.\nEnds with 1 if something failed, with 2 on a wrong argument.',
  options: {
    quick: { takes: 'nothing', about: 'few and short windows: to see that a row works, not to be believed' },
    list: { takes: 'nothing', about: 'prints the names of the rows' },
  },
  positionals: { name: '[rows]', about: 'which ones; all by default' },
}, async ({ values, positionals }) => {
  if (values.list) return rows.forEach(({ name, about }) => console.log(`${name.padEnd(12)}${about}`));
  const unknown = positionals.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0) throw new WrongArgument(`no such row: ${unknown.join(', ')}; there are ${rows.map(({ name }) => name).join(', ')}`);
  const bench = new Bench(values.quick ? QUICK : FULL, progress);
  try {
    await measure(bench, positionals, values.quick);
  } finally {
    await bench.close();
  }
});

async function measure(bench: Bench, names: readonly string[], quick: boolean): Promise<void> {
  const machine = thisMachine();
  const started = performance.now();
  const figures: Figure[] = [];
  const charts: Chart[] = [];
  const notes: string[] = [];
  for (const row of rows.filter(({ name }) => names.length === 0 || names.includes(name))) {
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
  console.log(terminalTable(figures));
  for (const note of notes) console.log(`not measured: ${note}`);
  save(outcome, quick || names.length > 0 ? 'partial' : 'full');
}

function save(outcome: Outcome, kind: string): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = path.join(RESULTS, `${kind}-node${outcome.machine.node.split('.')[0]}`);
  writeFileSync(`${file}.json`, `${JSON.stringify(outcome, null, 1)}\n`);
  writeFileSync(`${file}.md`, markdownReport(outcome));
  console.log(`\n${path.relative(process.cwd(), file)}.md and .json`);
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
