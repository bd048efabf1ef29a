/**
 * Random but valid sequences of operations on a cluster, from a seed; played under node:cluster and
 * under ours (player.js), compared, and shrunk to the shortest one that still differs.
 *
 * Keeps    a sequence is valid when each operation has one outcome that does not depend on timing:
 *          the generator knows which workers live and what they have open
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { dist, run } from '../support/program';

export type Operation = [name: string, ...rest: unknown[]];
export type Implementation = 'node' | 'ours';

const player = path.join(__dirname, 'player.js');

/** A small generator of numbers (mulberry32): the same seed gives the same sequence on every machine. */
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

/** The operations that make sense now, each with how often it should come. */
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

/** What an operation changes; false if it is not possible now, which happens to the rest of a shrunk sequence. */
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

/** The sequence of a seed. */
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

/** What was seen of one sequence. Where `complete` is false the player has not come to its end, and nothing was compared. */
interface Played {
  readonly text: string;
  readonly complete: boolean;
}

/** Plays a sequence; gives every subject's trace, and how the primary ended, as one text. */
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

/** What the two said, where it is not the same. */
export interface Difference {
  readonly node: string;
  readonly ours: string;
}

/** Null if both implementations ran and agree; else what they say. */
export async function differs(sequence: readonly Operation[], node?: string): Promise<Difference | null> {
  const [theirs, ours] = await Promise.all([play(sequence, 'node', node), play(sequence, 'ours', node)]);
  const alike = theirs.complete && ours.complete && (theirs.text === ours.text || settled(theirs.text, ours.text));
  return alike ? null : { node: theirs.text, ours: ours.text };
}

const isEnd = /^ {2}(cluster )?(disconnect|exit) /;

/**
 * Are they the same but for workers whose 'exit' came before their 'disconnect' in one of the two? The
 * usual order is the other (P-5), but when the end of a channel and the death reach the primary in one
 * turn both happen, under either implementation; what was seen at the one of them tells which was first.
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

/** The ends last and sorted, without the state of the worker at each. */
function withoutOrder(block: string): string {
  const others = block.split('\n').filter((line) => !isEnd.test(line));
  return [...others, ...ends(block).map((line) => line.replace(/ \[[^\]]*\]$/, '')).sort()].join('\n');
}

/** The shortest valid sequence that still differs: operations are left out as long as the difference stays. */
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
