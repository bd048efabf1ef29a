/**
 * npm run ecosystem: real users of cluster and fork from the npm registry, unmodified, each driven through its normal use
 * on stock Node and on this project's cluster and channel (`--require dist/lib/register.js` and register_fork.js in
 * NODE_OPTIONS), in alternated pairs.
 *
 * The exit code is 1 if a step failed on ours in some pair and on stock in none, or if our code carried no message of a
 * program: then its row shows nothing.
 *
 * Uses     programs.ts, install.ts (into .nodes/ecosystem, which git ignores), play.ts, table.ts, drives/
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Progress, announce, counted, paint } from '../support/terminal';
import { WrongArgument, runTool, writableDirectory } from '../support/tool';
import { install, type Installed } from './install';
import { playDrive, playSuite, type Played, type Side } from './play';
import { programs, type Program } from './programs';
import { isGood, markdown, rowOf, type Pair, type Row } from './table';

runTool({
  name: 'ecosystem',
  usage: 'npm run ecosystem --',
  about: 'Drives real programs of the npm registry on stock Node and on ours.\nExit code 1: a step failed on ours and never on stock, or our code carried no message of a program.',
  takes: 'about 10 s for each run of a program on 2 CPUs, two runs for each pair; the first time some 600 MB to download',
  example: 'npm run ecosystem -- --pairs 1 pm2 workerpool',
  options: {
    pairs: { takes: 'whole number', default: 5, about: 'how often each program runs on stock and on ours' },
    out: { takes: 'text', default: '.bench/ecosystem', about: 'where ecosystem.md and ecosystem.json go' },
    list: { takes: 'nothing', about: 'prints the programs and ends' },
  },
  positionals: { name: 'program', about: 'programs by their names; all by default' },
}, async ({ values, positionals }) => {
  if (values.list) return console.log(programs.map(({ name, packages, uses }) => `${name.padEnd(20)} ${packages[0].padEnd(26)} ${uses}`).join('\n'));
  const { pairs } = values;
  const unknown = positionals.find((name) => programs.every((program) => program.name !== name));
  if (unknown !== undefined) throw new WrongArgument(`no program is named '${unknown}': --list shows them`);
  const chosen = programs.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

  const directory = writableDirectory(values.out);
  const { installed, missing } = await installAll(chosen);
  announce('ecosystem', `${counted(installed.length, 'program')}, ${counted(pairs, 'pair')} each, on Node ${process.versions.node}`);
  const rows = await runAll(installed, pairs);

  writeFileSync(path.join(directory, 'ecosystem.json'), `${JSON.stringify({ node: process.versions.node, date: new Date().toISOString(), rows, missing }, null, 2)}\n`);
  writeFileSync(path.join(directory, 'ecosystem.md'), markdown(rows, missing));
  console.log(markdown(rows, missing));
  const bad = rows.filter((row) => !isGood(row));
  console.log(paint(bad.length === 0 ? 'green' : 'red', `${rows.length - bad.length} of ${counted(rows.length, 'row')} as on stock; ${directory}/ecosystem.md`));
  process.exitCode = bad.length === 0 ? 0 : 1;
});

/** A program that cannot be had is no failure of ours: the report names it. */
async function installAll(chosen: readonly Program[]): Promise<{ readonly installed: readonly Installed[]; readonly missing: readonly string[] }> {
  const installed: Installed[] = [];
  const missing: string[] = [];
  for (const program of chosen) {
    try {
      installed.push(await install(program));
    } catch (error) {
      if (!(error instanceof WrongArgument)) throw error;
      missing.push(`${program.name}: ${error.message}`);
    }
  }
  return { installed, missing };
}

async function runAll(installed: readonly Installed[], pairs: number): Promise<Row[]> {
  const jobs = installed.flatMap((one) => {
    const { suite } = one.program;
    const drive = { one, what: 'drive' as const, play: (side: Side) => playDrive(one, side) };
    return suite === undefined ? [drive] : [drive, { one, what: 'suite' as const, play: (side: Side) => playSuite(one, suite, side) }];
  });
  const progress = new Progress(jobs.length * pairs);
  const rows: Row[] = [];
  for (const { one, what, play } of jobs) {
    const played: Pair[] = [];
    for (let n = 0; n < pairs; n++) {
      played.push(await pairOf(play, n % 2 === 0));
      progress.step(`${one.program.name}, ${what}`);
    }
    rows.push(rowOf(one, what, played));
  }
  progress.clear();
  return rows;
}

/** Stock first in one pair, ours first in the next: neither always finds the files of the other in the page cache. */
async function pairOf(play: (side: Side) => Promise<Played>, isStockFirst: boolean): Promise<Pair> {
  if (isStockFirst) {
    const stock = await play('stock');
    return { stock, ours: await play('ours') };
  }
  const ours = await play('ours');
  return { stock: await play('stock'), ours };
}
