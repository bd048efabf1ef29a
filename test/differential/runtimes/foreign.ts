/**
 * npm run conformance -- --runtime bun,deno,…: measures each scenario on stock Node, several times, then plays it on
 * each of the runtimes, and writes the matrix.
 *
 *   1. each scenario three times on each Node that is a measure, and once on each runtime, several scenarios at a time
 *   2. what was not as on Node once more: a result that does not come again is flaky
 *   3. what hung once more, with no other scenario beside it and a longer deadline
 *
 * A result that is as on Node is not repeated. So if a runtime differs only now and then, one run may miss it. The option
 * `also` judges two runs together, and shows it.
 *
 * Uses     plays.ts (keeps what was played, so that an interrupted run goes on), judge.ts, matrix.ts
 * Never    waits longer for one run than its deadline and two seconds, or leaves a process of it that still has the run's
 *          environment or its process group: these are ended and counted. A runtime that cannot be run is a column with
 *          the reason, and the others go on
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Progress, announce, counted, duration } from '../../support/terminal';
import { play, type Played } from '../../support/scenario_run';
import { scenarioFile } from '../../support/scenarios';
import { WrongArgument } from '../../support/tool';
import { deliberateNumbers } from '../conformance_table';
import { isUndocumented } from './allowed';
import { combined, judge, markedAsOurs, measureOf, merged, type Cell, type Measure, type Verdict } from './judge';
import { differences, markdown } from './markdown';
import type { Matrix } from './matrix';
import { page } from './page';
import { Plays, digestOf, type Key, type Use } from './plays';
import { probed, runtimeOf, type Runtime } from './runtime';

export interface ForeignOptions {
  /** As on the command line: "bun", "node@26", "/path/to/binary". */
  readonly runtimes: readonly string[];
  readonly scenarios: readonly string[];
  /** The stock Node that says what is right, "node@26"; null: for a Node, and for ours on a Node, that Node; for others node@26. */
  readonly measure: string | null;
  readonly preload: string | null;
  readonly wire: boolean;
  readonly jobs: number;
  /** The directory for plays.jsonl, matrix.json, matrix.md, differences.md and matrix.html. */
  readonly out: string;
  /** The directory of an earlier run, whose measures are taken where they fit; null: none. */
  readonly measures: string | null;
  /** Plays nothing, and judges what `out` has, also if a scenario, the recorder or our build is another one by now. */
  readonly judgeOnly: boolean;
  /** With judgeOnly: the directory of a second run, whose plays count too; null: none. */
  readonly also?: string | null;
}

/** How often a measure is taken. */
const MEASURES = 3;
/** How often a stock Node may miss its deadline, under load, before the scenario is not judged. */
const LATE_MEASURES = 2;
/** Milliseconds of one run on 2 CPUs: 246 scenarios took Bun 2.5 minutes. */
const COST = 650;
const DEFAULT_MEASURE = 'node@26';

/** Milliseconds that a scenario may take, and sleep. On Node nearly all take less than 3 s on 2 CPUs, and none sleeps so long. */
const DEADLINES = { deadline: 40_000, asleepMs: 8_000 } as const;
/** The same where a hang has to be confirmed. */
const DEADLINES_ALONE = { deadline: 90_000, asleepMs: 15_000 } as const;
/** A runtime that starts processes or writes without end. The largest scenario has fewer than 20 processes, and writes 3 MB. */
const BOUNDS = { processes: 100, bytes: 64 << 20 } as const;

/** A column: what is judged, and by what. */
interface Column {
  readonly runtime: Runtime;
  readonly stock: Runtime;
  /** The paths that the two call their own program: a program that shows it has shown no difference. */
  readonly program: string;
  readonly stockProgram: string;
}

/** Plays, writes the files, and returns the matrix. */
export async function foreign(options: ForeignOptions): Promise<Matrix> {
  const { columns, unusable } = await columnsOf(options);
  return new Run(columns, unusable, options).all();
}

/** Finds the runtimes and the Nodes that measure them. What cannot be run is not played. */
async function columnsOf({ runtimes, measure, preload }: ForeignOptions): Promise<{ columns: Column[]; unusable: Matrix['unusable'] }> {
  const columns: Column[] = [];
  const unusable: { readonly runtime: string; readonly reason: string }[] = [];
  for (const name of new Set(runtimes)) {
    const found = await runtimeOf(name, preload);
    const own = typeof found === 'string' ? { reason: found } : await probed(found);
    if (typeof found === 'string' || 'reason' in own) {
      const reason = 'reason' in own ? own.reason : 'cannot be run';
      unusable.push({ runtime: name, reason });
      announce('conformance', `${name} is not judged: ${reason}`);
      continue;
    }
    const stock = await runtimeOf(measure ?? found.measure ?? DEFAULT_MEASURE, null);
    if (typeof stock === 'string') throw new WrongArgument(`--measure: ${stock}`);
    const ofStock = await probed(stock);
    if ('reason' in ofStock) throw new WrongArgument(`--measure: ${ofStock.reason}`);
    columns.push({ runtime: found, stock, program: own.program, stockProgram: ofStock.program });
  }
  return { columns, unusable };
}

class Run {
  readonly #columns: readonly Column[];
  readonly #unusable: Matrix['unusable'];
  readonly #options: ForeignOptions;
  readonly #plays: Plays;
  /** Those of `also`. */
  readonly #others: readonly Plays[];
  /** By scenario and the title of the Node; a text says why the scenario cannot be judged. */
  readonly #measures = new Map<string, Measure | string>();
  readonly #digests = new Map<string, string>();
  #played = 0;

  constructor(columns: readonly Column[], unusable: Matrix['unusable'], options: ForeignOptions) {
    this.#columns = columns;
    this.#unusable = unusable;
    this.#options = options;
    this.#plays = new Plays(options.out, options.measures === null ? [] : [options.measures]);
    this.#others = options.also === undefined || options.also === null ? [] : [new Plays(options.also)];
  }

  async all(): Promise<Matrix> {
    const { scenarios, jobs, judgeOnly } = this.#options;
    if (judgeOnly || this.#columns.length === 0) {
      for (const scenario of scenarios) for (const column of this.#columns) await this.#measure(scenario, column);
      return this.#write(this.#matrix());
    }
    const stocks = new Map(this.#columns.map((column) => [column.stock.title, column]));
    announce('conformance', `${counted(scenarios.length, 'scenario')} on ${this.#columns.map(({ runtime }) => runtime.title).join(', ')}, measured by ${[...stocks.keys()].join(', ')}: about ${
      duration(scenarios.length * (MEASURES * stocks.size + this.#columns.length) * COST)} on 2 CPUs, less where an interrupted run goes on`);
    await this.#inParallel('', scenarios, jobs, async (scenario) => {
      for (const column of stocks.values()) await this.#measure(scenario, column);
      for (const column of this.#columns) await this.#judged(scenario, column, 'first');
    });
    const cells = scenarios.flatMap((scenario) => this.#columns.map((column) => ({ scenario, column })));
    const differing = cells.filter(({ scenario, column }) => !['like', 'hangs', undefined].includes(this.#verdict(scenario, column, 'first')?.is));
    await this.#inParallel('what differed, once more: ', differing, jobs, ({ scenario, column }) => this.#judged(scenario, column, 'again'));
    const late = cells.filter(({ scenario, column }) => (['first', 'again'] as const).some((use) => this.#verdict(scenario, column, use)?.is === 'hangs'));
    await this.#inParallel('what hung, alone: ', late, 1, ({ scenario, column }) => this.#judged(scenario, column, 'alone'));
    return this.#write(this.#matrix());
  }

  async #inParallel<T>(what: string, items: readonly T[], jobs: number, work: (item: T) => Promise<void>): Promise<void> {
    const progress = new Progress(items.length);
    let at = 0;
    await Promise.all(Array.from({ length: jobs }, async () => {
      for (let item = items[at++]; item !== undefined; item = items[at++]) {
        await work(item);
        progress.step(`${what}${this.#played} runs`);
      }
    }));
    progress.clear();
  }

  // ── playing ──────────────────────────────────────────────────────────────────────────────────────

  #key(scenario: string, runtime: Runtime, use: Use): Key {
    const digest = this.#digests.get(scenario) ?? digestOf(scenarioFile(scenario));
    this.#digests.set(scenario, digest);
    return { runtime: runtime.identity, scenario, digest: this.#options.wire ? `${digest} with the wire` : digest, use };
  }

  async #play(scenario: string, runtime: Runtime, use: Use): Promise<void> {
    const file = scenarioFile(scenario);
    const { deadline, asleepMs } = use === 'alone' ? DEADLINES_ALONE : DEADLINES;
    const played = await play(file, { command: runtime.command(file), deadline, bounds: { ...BOUNDS, asleepMs }, untapped: !this.#options.wire }).catch(unplayed);
    this.#played++;
    this.#plays.add(this.#key(scenario, runtime, use), played);
  }

  /** Takes the measure of a scenario on a Node, unless it is there. */
  async #measure(scenario: string, { stock, stockProgram }: Column): Promise<void> {
    if (!this.#options.wire && speaksTheProtocol(scenarioFile(scenario))) {
      this.#measures.set(`${scenario} ${stock.title}`, OF_THE_PROTOCOL);
      return;
    }
    const key = this.#key(scenario, stock, 'measure');
    const inTime = (): readonly Played[] => this.#playsOf(this.#plays, key, stockProgram).filter(({ isLate }) => !isLate);
    while (!this.#options.judgeOnly && inTime().length < MEASURES && this.#plays.get(key).length < MEASURES + LATE_MEASURES) await this.#play(scenario, stock, 'measure');
    this.#measures.set(`${scenario} ${stock.title}`, measureOrReason(inTime(), this.#options.wire));
  }

  /** Plays a scenario for this use, unless it has been played or cannot be judged. */
  async #judged(scenario: string, { runtime, stock }: Column, use: Use): Promise<void> {
    if (typeof this.#measures.get(`${scenario} ${stock.title}`) === 'string') return;
    if (this.#plays.get(this.#key(scenario, runtime, use)).length === 0) await this.#play(scenario, runtime, use);
  }

  // ── judging ──────────────────────────────────────────────────────────────────────────────────────

  /** The plays of a key, in which the runtime's own program is called <program>. */
  #playsOf(plays: Plays, key: Key, program: string): Played[] {
    const found = this.#options.judgeOnly ? plays.getLast(key) : plays.get(key);
    return found.map((played) => ({ ...played, plain: (line) => played.plain(program === '' ? line : line.replaceAll(program, '<program>')) }));
  }

  /** Undefined if it was not played, or cannot be judged. */
  #verdict(scenario: string, { runtime, stock, program }: Column, use: Use, plays = this.#plays): Verdict | undefined {
    const measure = this.#measures.get(`${scenario} ${stock.title}`);
    const [played] = this.#playsOf(plays, this.#key(scenario, runtime, use), program);
    return typeof measure !== 'object' || played === undefined ? undefined : judge(measure, played, this.#options.wire);
  }

  /** The cell of one run. */
  #cellOf(scenario: string, column: Column, plays: Plays): Cell {
    const [first, again, alone] = (['first', 'again', 'alone'] as const).map((use) => this.#verdict(scenario, column, use, plays));
    if (first === undefined) return { is: 'unjudged', reason: 'not played' };
    const judged = combined([first, again].filter((verdict) => verdict !== undefined), alone);
    return { ...judged, plays: [first, again, alone].filter((verdict) => verdict !== undefined).length };
  }

  #cell(scenario: string, column: Column): Cell {
    const reason = this.#measures.get(`${scenario} ${column.stock.title}`);
    if (typeof reason === 'string') return { is: 'unjudged', reason };
    const judged = merged([this.#plays, ...this.#others].map((plays) => this.#cellOf(scenario, column, plays)));
    const cell = judged.is === 'different' && isUndocumented(scenario) ? { ...judged, is: 'allowed' as const } : judged;
    const rules = cell.is === 'like' || cell.is === 'unjudged' ? [] : deliberateNumbers(scenario, column.stock.major);
    return rules.length === 0 ? cell : { ...this.#besideOurs(scenario, column, cell), rules };
  }

  /** Marks the deviations in which a runtime does what ours does. Only known if ours on that Node is a column. */
  #besideOurs(scenario: string, { runtime, stock, program }: Column, cell: Cell): Cell {
    const ours = this.#columns.find((column) => column.runtime.isOurs && column.stock.title === stock.title);
    if (ours === undefined || (cell.is !== 'different' && cell.is !== 'hangs')) return cell;
    const all = (of: Runtime, own: string): Played[] => [this.#plays, ...this.#others].flatMap((plays) =>
      (['first', 'again'] as const).flatMap((use) => this.#playsOf(plays, this.#key(scenario, of, use), own)));
    return markedAsOurs(cell, all(ours.runtime, ours.program), all(runtime, program), this.#options.wire);
  }

  #matrix(): Matrix {
    const { scenarios, wire } = this.#options;
    const left = this.#columns.map(({ runtime }) => scenarios.reduce((sum, scenario) => sum + (['first', 'again', 'alone'] as const)
      .reduce((all, use) => all + (this.#playsOf(this.#plays, this.#key(scenario, runtime, use), '')[0]?.left ?? 0), 0), 0));
    return {
      date: new Date().toISOString().slice(0, 10), wire, unusable: this.#unusable,
      columns: this.#columns.map(({ runtime, stock }, at) => ({ runtime: runtime.title, measure: stock.title, left: left[at] ?? 0 })),
      rows: [...scenarios].sort().map((scenario) => ({ scenario, cells: this.#columns.map((column) => this.#cell(scenario, column)) })),
    };
  }

  #write(matrix: Matrix): Matrix {
    const { out } = this.#options;
    writeFileSync(path.join(out, 'matrix.json'), `${JSON.stringify(matrix, null, 1)}\n`);
    writeFileSync(path.join(out, 'matrix.md'), markdown(matrix));
    writeFileSync(path.join(out, 'differences.md'), `${differences(matrix)}\n`);
    writeFileSync(path.join(out, 'matrix.html'), page(matrix));
    return matrix;
  }
}

/** A program that cannot be started, although it could be at the beginning. */
function unplayed(error: unknown): Played {
  return {
    code: null, signal: null, stdout: '', stderr: `cannot be started: ${error instanceof Error ? error.message : String(error)}`, logs: [], torn: [],
    isLate: false, stopped: null, left: 0, plain: (line) => line, place: { directory: '/nowhere', port: 20_000 }, took: 0,
  };
}

function measureOrReason(measured: readonly Played[], wire: boolean): Measure | string {
  if (measured.length < MEASURES) return 'there are no three runs of the stock Node within the deadline';
  const measure = measureOf(measured, wire);
  return measure.isEmpty ? OF_THE_PROTOCOL : measure;
}

const OF_THE_PROTOCOL = "about the messages of Node's protocol: see --wire";

/** Does a process of the scenario speak Node's protocol by itself, or forge messages of it? */
const speaksTheProtocol = (file: string): boolean => /require\('\.\.\/wire'\)|cmd: 'NODE_/.test(readFileSync(file, 'utf8'));
