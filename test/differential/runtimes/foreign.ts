/**
 * npm run conformance -- --runtime bun,deno,…: measures each scenario on stock Node, several times, then plays it on
 * each of the runtimes, and writes the matrix.
 *
 * Never    waits longer for one run than its deadline and two seconds, or leaves a process of it that still has the run's
 *          environment: these are ended and counted
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Progress, announce, counted, duration } from '../../support/terminal';
import { play, type Played } from '../../support/scenario_run';
import { scenarioFile } from '../../support/scenarios';
import { judge, measureOf, type Measure, type Verdict } from './judge';
import { markdown, page, type Cell, type Matrix } from './matrix';
import { runtimeOf, type Runtime } from './runtime';

export interface ForeignOptions {
  /** As on the command line: "bun", "node@26", "/path/to/binary". */
  readonly runtimes: readonly string[];
  readonly scenarios: readonly string[];
  /** The stock Node that says what is right: "node@26". */
  readonly measure: string;
  readonly preload: string | null;
  readonly wire: boolean;
  readonly jobs: number;
  /** The directory for matrix.json, matrix.md and matrix.html. */
  readonly out: string;
}

/** How often the measure is taken. */
const MEASURES = 3;
/** Milliseconds that a scenario may take. On Node nearly all of them take less than 3 s on 2 CPUs. */
const DEADLINE = 20_000;
/** Milliseconds of one run on 2 CPUs: 246 scenarios took Bun 2.5 minutes. */
const COST = 650;

/** Plays, writes the three files, and returns the matrix. */
export async function foreign(options: ForeignOptions): Promise<Matrix> {
  const { scenarios, wire, jobs, out } = options;
  const stock = await runtimeOf(options.measure, null);
  const runtimes: Runtime[] = [];
  for (const name of options.runtimes) runtimes.push(await runtimeOf(name, options.preload));
  const runs = scenarios.length * (MEASURES + runtimes.length);
  announce('conformance', `${counted(scenarios.length, 'scenario')} on ${runtimes.map(({ title }) => title).join(', ')}, measured by ${stock.title}: about ${duration(runs * COST)}`);

  const progress = new Progress(scenarios.length);
  const rows = new Map<string, readonly Cell[]>();
  const skipped = new Map<string, string>();
  await inParallel(scenarios, jobs, async (scenario) => {
    const file = scenarioFile(scenario);
    const measured: Played[] = [];
    for (let count = 0; count < MEASURES; count++) measured.push(await playOn(stock, file));
    const measure = measureOrReason(measured, wire);
    if (typeof measure === 'string') skipped.set(scenario, measure);
    else rows.set(scenario, await cellsOf(runtimes, file, measure, wire));
    progress.step(scenario);
  });
  progress.clear();

  const matrix: Matrix = {
    date: new Date().toISOString().slice(0, 10), measure: stock.title, wire, runtimes: runtimes.map(({ title }) => title),
    rows: [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([scenario, cells]) => ({ scenario, cells })),
    skipped: [...skipped].sort().map(([scenario, reason]) => ({ scenario, reason })),
  };
  mkdirSync(out, { recursive: true });
  writeFileSync(path.join(out, 'matrix.json'), `${JSON.stringify(matrix, null, 1)}\n`);
  writeFileSync(path.join(out, 'matrix.md'), markdown(matrix));
  writeFileSync(path.join(out, 'matrix.html'), page(matrix));
  return matrix;
}

const playOn = (runtime: Runtime, file: string): Promise<Played> => play(file, { command: runtime.command(file), deadline: DEADLINE });

function measureOrReason(measured: readonly Played[], wire: boolean): Measure | string {
  if (measured.some(({ isLate }) => isLate)) return 'stock Node missed the deadline';
  const measure = measureOf(measured, wire);
  return measure.isEmpty ? "about messages of Node's protocol alone: see --wire" : measure;
}

/** One scenario on each runtime. What is not as on Node is played once more: a result that does not come again is flaky. */
async function cellsOf(runtimes: readonly Runtime[], file: string, measure: Measure, wire: boolean): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const runtime of runtimes) {
    const first = judge(measure, await playOn(runtime, file), wire);
    if (first.is === 'like') {
      cells.push(first);
      continue;
    }
    const second = judge(measure, await playOn(runtime, file), wire);
    cells.push(isSame(first, second) ? first : { is: 'flaky', verdicts: [first, second] });
  }
  return cells;
}

const isSame = (one: Verdict, other: Verdict): boolean => one.is === other.is;

async function inParallel<T>(items: readonly T[], jobs: number, work: (item: T) => Promise<void>): Promise<void> {
  let at = 0;
  await Promise.all(Array.from({ length: jobs }, async () => {
    for (let item = items[at++]; item !== undefined; item = items[at++]) await work(item);
  }));
}
