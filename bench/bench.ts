/**
 * What a row works with: how many pairs of what length, the load generator, the programs that it
 * starts, and the line on the terminal.
 *
 * Owns     every program of the run, until `stop` of the program or `close` at the end
 * Used by  run.ts, rows/
 */
import type { ClosedLoad, OpenLoad, Window } from './load/modes';
import { Program } from './program';

export interface Extent {
  /** How many times each side is measured. */
  readonly pairs: number;
  /** Multiplies the length of each window. */
  readonly scale: number;
}

/** The whole suite: 7 pairs. */
export const FULL: Extent = { pairs: 7, scale: 1 };
/** To see that a row works. */
export const QUICK: Extent = { pairs: 2, scale: 0.25 };

/** Clients of a closed load; every row has the same number. */
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

  /** The length of a window that is `seconds` long in a whole run. */
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

  /** The process that every load comes from, started when it is first wanted. */
  async generator(): Promise<Program> {
    this.#load ??= await this.start('load generator', 'load/main.ts', {}, ['--require', 'tsx/cjs']);
    return this.#load;
  }

  /**
   * Measures the sides in turn, A B C A B C …, as often as the run has pairs. After an odd round the
   * order turns round, so that none always follows the same one.
   */
  async inTurn<Key extends string, Sample>(keys: readonly Key[], measure: (key: Key, pair: number) => Promise<Sample>, rounds = this.pairs): Promise<Record<Key, Sample[]>> {
    const samples = Object.fromEntries(keys.map((key) => [key, [] as Sample[]])) as unknown as Record<Key, Sample[]>;
    for (let pair = 0; pair < rounds; pair++) {
      for (const key of pair % 2 === 0 ? keys : [...keys].reverse()) samples[key].push(await measure(key, pair));
    }
    return samples;
  }

  /**
   * For samples that are each made of many short windows in turn: what the machine does for longer than
   * one of them meets all sides. `parts` windows of each side per pair of the run; `taken` is given them.
   */
  async inParts<Key extends string, Part>(keys: readonly Key[], measure: (key: Key) => Promise<Part>, parts: number, taken: (of: Record<Key, Part[]>, pair: string) => void): Promise<void> {
    for (let pair = 1; pair <= this.pairs; pair++) taken(await this.inTurn(keys, measure, parts), `${pair}/${this.pairs}`);
  }

  /** Ends whatever is left. */
  async close(): Promise<void> {
    await this.stop(...this.#programs);
  }
}
