/**
 * Random sequences of actions on a cluster whose connections move: clients ask, pipeline, send half a request and close;
 * workers give their idle connections back, are killed, leave and close their servers. moves_player.js plays them, several in one
 * cluster, against a model of what a client may see.
 *
 * Used by  test/random/run.ts, test/random/moves.test.ts
 * Keeps    a seed gives the same sequence each time. What happens in it also depends on timing: play it several times
 */
import path from 'node:path';
import { run } from '../support/program';
import { random } from './sequences';

export type Action = [what: string, ...rest: number[]];

/** The result of one sequence. `wrong` is empty if no client saw anything that it must not see. */
export interface Played {
  readonly seed: number;
  readonly wrong: readonly string[];
  readonly clients: number;
  readonly answered: number;
  /** Connections that were closed because their worker ended. */
  readonly closed: number;
  readonly moved: number;
  readonly returned: number;
  readonly reclaimed: number;
}

const CLIENTS = 8;
const LENGTH = 30;

/** The sequence of actions that belongs to a seed. */
export function generateMoves(seed: number, length = LENGTH): Action[] {
  const next = random(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  const client = (): number => below(CLIENTS);
  const choices: readonly [weight: number, make: () => Action][] = [
    [10, () => ['ask', client()]],
    [5, () => ['late', client()]],
    [3, () => ['post', client(), 1 + below(100_000)]],
    [5, () => ['pipeline', client(), 2 + below(4), below(2)]],
    [6, () => ['half', client(), next(), below(2) * below(5_000), below(3)]],
    [5, () => ['rest', client()]],
    [2, () => ['close', client()]],
    [1, () => ['end', client()]],
    [8, () => ['settle', client()]],
    [14, () => ['pause', below(4)]],
    [26, () => (below(3) === 0 ? ['give', below(3), below(3)] : ['give', below(3)])],
    [2, () => ['giveEnding']],
    [0.9, () => ['kill', below(3)]],
    [0.5, () => ['disconnect', below(3)]],
    [0.5, () => ['closeServer', below(3)]],
  ];
  const sum = choices.reduce((all, [weight]) => all + weight, 0);
  // Most clients have a connection at the beginning.
  const asks = Array.from({ length: 5 }, (): Action => ['ask', client()]);
  return [...asks, ...Array.from({ length: length - asks.length }, () => {
    let at = next() * sum;
    const [, make] = choices.find(([weight]) => (at -= weight) < 0) ?? choices[0] as typeof choices[number];
    return make();
  })];
}

/** Plays the sequences of these seeds one after the other in one cluster. A program that ends too early is something wrong. */
export async function playMoves(seeds: readonly number[], node = process.execPath): Promise<Played[]> {
  const sequences = seeds.map((seed) => ({ seed, actions: generateMoves(seed) }));
  const program = run(path.join(__dirname, 'moves_player.js'), { node, args: [JSON.stringify(sequences)], deadline: 60_000 + 25_000 * seeds.length });
  const { code, signal, stdout, stderr } = await program;
  const played = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Played);
  if (played.length < seeds.length || code !== 0) {
    const seed = seeds[played.length] ?? seeds.at(-1) ?? 0;
    played.push({ seed, wrong: [`the program ended with ${signal ?? code}: ${stderr}`], clients: 0, answered: 0, closed: 0, moved: 0, returned: 0, reclaimed: 0 });
  }
  return played;
}
