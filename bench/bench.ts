/**
 * The services that every row uses: the number and length of its measurements, the load generator, the
 * programs under test, and the line of progress on the terminal.
 *
 * Owns     every program of the run, until it is stopped, or `close` at the end of the run
 * Used by  bench/run.ts, bench/rows/
 */
import type { ClosedLoad, OpenLoad, Window } from './load/modes';
import { Program } from './program';

export interface Extent {
  /** How often each side is measured. A pair is one sample of each side. */
  readonly pairs: number;
  /** The length of each window is multiplied by this. A window is the time that one sample takes. */
  readonly scale: number;
}

/** A run whose figures count. */
export const FULL: Extent = { pairs: 7, scale: 1 };
/** A run that only shows that a row works. */
export const QUICK: Extent = { pairs: 2, scale: 0.25 };

/** How many clients a closed load has (load/modes.ts); the same in every row. */
export const CLIENTS = 64;

/** The state of one run. */
export class Bench {
  readonly extent: Extent;
  readonly #say: (line: string) => void;
  readonly #programs = new Set<Program>();
  #load: Program | null = null;

  constructor(extent: Extent, say: (line: string) => void) {
    this.extent = extent;
    this.#say = say;
  }

  get pairs(): number {
    return this.extent.pairs;
  }

  /** The length of a window in this run, if it is `seconds` long in a full one. */
  seconds(seconds: number): number {
    return seconds * this.extent.scale;
  }

  say(line: string): void {
    this.#say(line);
  }

  async start(name: string, file: string, options: object = {}, execArgv: readonly string[] = []): Promise<Program> {
    const program = await Program.start(name, file, options, execArgv);
    this.#programs.add(program);
    return program;
  }

  async stop(...programs: readonly Program[]): Promise<void> {
    await Promise.all(programs.map((program) => program.stop()));
    for (const program of programs) this.#programs.delete(program);
  }

  async closed(load: Omit<ClosedLoad, 'clients'> & { readonly clients?: number }): Promise<Window> {
    return (await this.generator()).ask<Window>('closed', { clients: CLIENTS, ...load });
  }

  async open(load: OpenLoad): Promise<Window> {
    return (await this.generator()).ask<Window>('open', load);
  }

  /** The process that all load comes from; started at the first use. */
  async generator(): Promise<Program> {
    this.#load ??= await this.start('load generator', 'load/main.ts', {}, ['--require', 'tsx/cjs']);
    return this.#load;
  }

  /**
   * Measures the sides in turn, as often as the run has pairs: A B C, C B A, A B C … The order is reversed
   * after each round, so that no side always follows the same one.
   */
  async inTurn<Key extends string, Sample>(keys: readonly Key[], measure: (key: Key, pair: number) => Promise<Sample>, rounds = this.pairs): Promise<Record<Key, Sample[]>> {
    const samples = Object.fromEntries(keys.map((key) => [key, [] as Sample[]])) as unknown as Record<Key, Sample[]>;
    for (let pair = 0; pair < rounds; pair++) {
      for (const key of pair % 2 === 0 ? keys : [...keys].reverse()) samples[key].push(await measure(key, pair));
    }
    return samples;
  }

  /**
   * For samples that consist of many short windows. The sides take turns in them, so that a disturbance that
   * lasts longer than a window meets all sides. `taken` gets, for each pair of the run, `parts` windows of each side.
   */
  async inParts<Key extends string, Part>(keys: readonly Key[], measure: (key: Key) => Promise<Part>, parts: number, taken: (of: Record<Key, Part[]>, pair: string) => void): Promise<void> {
    for (let pair = 1; pair <= this.pairs; pair++) taken(await this.inTurn(keys, measure, parts), `${pair}/${this.pairs}`);
  }

  /** Stops every program that still runs. */
  async close(): Promise<void> {
    await this.stop(...this.#programs);
  }
}
