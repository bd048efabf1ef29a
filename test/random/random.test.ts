import { expect, test } from 'vitest';
import { differs, generate, isValid, settled, shrink, type Operation } from './sequences';

const LENGTH = 14;
/**
 * Of the first 2000 seeds those whose sequences have the most pairs of neighbours for the processes that they take, found one
 * after the other. `npm run random` plays as many others as one likes.
 */
const SEEDS = [53, 1612, 920, 437, 228, 993, 1501, 1529, 1079, 1160, 1606, 167, 448, 1969, 1958, 611, 84, 490];
/** The kinds of operations, and the different pairs of kinds that follow each other, in these sequences. */
const KINDS = 27;
const PAIRS = 157;
const AT_ONCE = 4;

/** The kind of an operation: its name, and what distinguishes it from others of that name, but not the worker that it concerns. */
const kindOf = ([name, first, second]: Operation): string =>
  ['within', 'kill', 'listen', 'close', 'listenAndDisconnect'].includes(name) ? `${name} ${String(second)}` : name === 'connect' ? `${name} ${String(first)}` : name;

test(`${SEEDS.length} random sequences of operations look the same under node:cluster and under ours`, { timeout: 300_000 }, async () => {
  const seeds = [...SEEDS];
  const failures: string[] = [];
  const job = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined && failures.length === 0; seed = seeds.shift()) {
      const sequence = generate(seed, LENGTH);
      const difference = await differs(sequence);
      if (difference === null) continue;
      failures.push(`seed ${seed}, ${LENGTH} operations: ${JSON.stringify(await shrink(sequence))}\n` +
        `── node:cluster\n${difference.node}\n── ours\n${difference.ours}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, job));
  expect(failures).toEqual([]);
});

test('these sequences have every kind of operation, and many pairs of them', () => {
  const kinds = SEEDS.map((seed) => generate(seed, LENGTH).map(kindOf));
  const all = new Set(Array.from({ length: 500 }, (_, seed) => generate(seed).map(kindOf)).flat());
  expect(new Set(kinds.flat())).toEqual(all);
  expect(all.size).toBe(KINDS);
  expect(new Set(kinds.flatMap((list) => list.slice(1).map((kind, at) => `${list[at]}, ${kind}`))).size).toBe(PAIRS);
});

test('a seed gives the same valid sequence each time', () => {
  for (let seed = 1; seed <= 200; seed++) {
    expect(generate(seed)).toEqual(generate(seed));
    expect(isValid(generate(seed))).toBe(true);
  }
});

test('P-5: only the order of the two ends of a worker may differ, and not what they say', () => {
  const usual = 'worker 1\n  online [a]\n  disconnect [b]\n  cluster disconnect [b]\n  exit 0 null [c]\n  cluster exit 0 null [c]\nexit 0 null';
  const reversed = 'worker 1\n  online [a]\n  exit 0 null [d]\n  cluster exit 0 null [d]\n  disconnect [e]\n  cluster disconnect [e]\nexit 0 null';
  expect(settled(usual, reversed)).toBe(true);
  expect(settled(reversed, usual)).toBe(true);
  expect(settled(usual, reversed.replaceAll('exit 0', 'exit 1'))).toBe(false);
  expect(settled(usual, reversed.replace('  disconnect [e]\n', ''))).toBe(false);
  expect(settled(usual, reversed.replace('[a]', '[x]'))).toBe(false);
  expect(settled(usual, usual.replaceAll('[b]', '[x]'))).toBe(false);
});
