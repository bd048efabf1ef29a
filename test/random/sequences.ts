/**
 * Makes random but valid sequences of operations on a cluster, from a seed; plays each under node:cluster and under
 * ours (player.js); compares; and shrinks a sequence that differs to the shortest one that still does.
 *
 * Used by  test/random/run.ts, test/random/random.test.ts, test/main/tools.test.ts, test/soak/storm.ts
 * Keeps    in a valid sequence each operation has one outcome, which does not depend on timing: the generator
 *          knows which workers live and what each of them has open
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { dist, run } from '../support/program';

export type Operation = [name: string, ...rest: unknown[]];
export type Implementation = 'node' | 'ours';

const player = path.join(__dirname, 'player.js');

/** A small generator of random numbers (mulberry32): a seed gives the same numbers on every machine. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Model {
  readonly alive: Map<number, Set<string>>;
  readonly dead: number[];
  forked: number;
}

/** The operations that are possible now, each with a weight: how often it should be chosen. */
function choices({ alive, dead, forked }: Model, pick: <Item>(items: readonly Item[]) => Item): [weight: number, make: () => Operation][] {
  const ids = [...alive.keys()];
  const some = (weight: number, make: () => Operation): [number, () => Operation][] => (ids.length > 0 ? [[weight, make]] : []);
  const opened = ids.flatMap((id) => [...(alive.get(id) as Set<string>)].map((kind) => [id, kind] as const));
  const closed = ids.flatMap((id) => ['tcp', 'path', 'udp'].filter((kind) => !alive.get(id)?.has(kind)).map((kind) => [id, kind] as const));
  const reachable = opened.filter(([, kind]) => kind !== 'udp');
  const list: [number, () => Operation][] = [
    ...some(3, () => ['echo', pick(ids), pick([1, 'text', null, true, { nested: [1, 'ä€😀'] }])]),
    ...some(2, () => ['disconnect', pick(ids)]),
    ...some(1, () => ['sendAndDisconnect', pick(ids)]),
    ...some(1, () => ['listenAndDisconnect', ...pick(closed.length > 0 ? closed : [[0, ''] as const])]),
    ...some(1, () => ['kill', pick(ids), pick(['SIGTERM', 'SIGKILL', undefined])]),
    ...some(1, () => ['endChannel', pick(ids)]),
    ...some(3, () => ['within', pick(ids), pick(['disconnect', 'kill', 'endChannel', 'throw'])]),
    ...some(1, () => ['within', pick(ids), 'exit', pick([0, 1, 7])]),
    ...some(1, () => ['within', pick(ids), 'signal', pick(['SIGTERM', 'SIGKILL'])]),
    ...some(1, () => ['all']),
  ];
  if (forked < 6) list.push([ids.length < 2 ? 12 : 3, () => ['fork']]);
  if (closed.length > 0) list.push([12, () => ['listen', ...pick(closed)]]);
  if (opened.length > 0) list.push([4, () => ['close', ...pick(opened)]]);
  if (reachable.length > 0) list.push([12, () => ['connect', pick(reachable)[1]]]);
  if (dead.length > 0) list.push([1, () => ['sendToDead', pick(dead)]]);
  return list;
}

const ending = ['disconnect', 'sendAndDisconnect', 'listenAndDisconnect', 'kill', 'endChannel', 'within'];

/** Changes the model as the operation does. False: the operation is not possible now, as it happens after others were left out. */
function apply(model: Model, [name, first, second]: Operation): boolean {
  const id = first as number;
  const kinds = model.alive.get(id);
  if (name === 'fork') model.alive.set(++model.forked, new Set());
  else if (name === 'all') model.dead.push(...model.alive.keys()), model.alive.clear();
  else if (name === 'connect') return [...model.alive.values()].some((open) => open.has(first as string));
  else if (name === 'sendToDead') return model.dead.includes(id);
  else if (kinds === undefined) return false;
  else if (name === 'listen') return !kinds.has(second as string) && Boolean(kinds.add(second as string));
  else if (name === 'close') return kinds.delete(second as string);
  else if (ending.includes(name)) {
    model.alive.delete(id);
    model.dead.push(id);
  }
  return true;
}

const nothing = (): Model => ({ alive: new Map(), dead: [], forked: 0 });

export const isValid = (sequence: readonly Operation[]): boolean => {
  const model = nothing();
  return sequence.every((operation) => apply(model, operation));
};

/** The sequence that belongs to a seed. */
export function generate(seed: number, length = 12): Operation[] {
  const next = random(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)] as Item;
  const model = nothing();
  const sequence: Operation[] = [];
  while (sequence.length < length) {
    const list = choices(model, pick);
    let at = next() * list.reduce((sum, [weight]) => sum + weight, 0);
    const chosen = list.find(([weight]) => (at -= weight) < 0);
    if (chosen === undefined) break;
    const operation = chosen[1]();
    if (apply(model, operation)) sequence.push(operation);
  }
  return sequence;
}

/** What one run of a sequence printed. `complete` is false if the player did not reach its end: then nothing can be compared. */
interface Played {
  readonly text: string;
  readonly complete: boolean;
}

/** Plays a sequence; returns the trace of every subject, and how the primary ended, as one text. */
async function play(sequence: readonly Operation[], implementation: Implementation, node = process.execPath): Promise<Played> {
  const playground = mkdtempSync(path.join(tmpdir(), 'cluster-random-'));
  try {
    const { code, signal, stdout, stderr } = await run(player, {
      node,
      execArgv: implementation === 'ours' ? ['--require', dist('lib/register.js')] : [],
      env: { OPERATIONS: JSON.stringify(sequence), PLAYGROUND: playground },
    });
    const seen = stdout.startsWith('{') ? JSON.parse(stdout) as { trace: Record<string, string[]>; ranOn: Implementation } : undefined;
    const traces = seen?.trace ?? {};
    const subjects = Object.keys(traces).sort().map((subject) => `${subject}\n  ${(traces[subject] as string[]).join('\n  ')}`);
    const wrong = seen === undefined ? ['no trace'] : seen.ranOn === implementation ? [] : [`it ran on ${seen.ranOn}`];
    return { text: [...subjects, ...wrong, `exit ${code} ${signal}`, stderr.replace(/^\s+at .*\n/gm, '')].join('\n'), complete: wrong.length === 0 };
  } catch (error) {
    return { text: `no end: ${(error as Error).message}`, complete: false };
  } finally {
    rmSync(playground, { recursive: true, force: true });
  }
}

/** The two texts of a sequence that differs. */
export interface Difference {
  readonly node: string;
  readonly ours: string;
}

/** Null if both implementations ran to the end and agree; otherwise both texts. */
export async function differs(sequence: readonly Operation[], node?: string): Promise<Difference | null> {
  const [theirs, ours] = await Promise.all([play(sequence, 'node', node), play(sequence, 'ours', node)]);
  const alike = theirs.complete && ours.complete && (theirs.text === ours.text || settled(theirs.text, ours.text));
  return alike ? null : { node: theirs.text, ours: ours.text };
}

const isEnd = /^ {2}(cluster )?(disconnect|exit) /;

/**
 * Are the two texts the same, apart from the order of 'exit' and 'disconnect' of a worker? Usually 'disconnect' comes
 * first (P-5). But if the end of the channel and the death of the process reach the primary in the same turn, either
 * order can happen, under both implementations.
 */
export function settled(theirs: string, ours: string): boolean {
  const [left, right] = [theirs, ours].map((text) => text.split(/\n(?=\S)/)) as [string[], string[]];
  return left.length === right.length && left.every((block, at) => {
    const other = right[at] as string;
    return block === other || (exitFirst(block) !== exitFirst(other) && withoutOrder(block) === withoutOrder(other));
  });
}

const ends = (block: string): string[] => block.split('\n').filter((line) => isEnd.test(line));

const exitFirst = (block: string): boolean => / exit /.test(ends(block)[0] ?? '');

/** The block with its 'disconnect' and 'exit' lines last and sorted, without the state of the worker, which depends on their order. */
function withoutOrder(block: string): string {
  const others = block.split('\n').filter((line) => !isEnd.test(line));
  return [...others, ...ends(block).map((line) => line.replace(/ \[[^\]]*\]$/, '')).sort()].join('\n');
}

/** The shortest valid sequence that still differs: leaves out operations as long as the difference remains. */
export async function shrink(sequence: readonly Operation[], node?: string): Promise<Operation[]> {
  let shortest = [...sequence];
  for (let size = Math.ceil(shortest.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at + size <= shortest.length;) {
      const candidate = [...shortest.slice(0, at), ...shortest.slice(at + size)];
      if (isValid(candidate) && await differs(candidate, node)) shortest = candidate;
      else at += size;
    }
  }
  return shortest;
}
