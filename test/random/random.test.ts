import { expect, test } from 'vitest';
import { differs, generate, isValid, settled, shrink } from './sequences';

const COUNT = 50;
const FIRST_SEED = 1;
const LENGTH = 8;
const AT_ONCE = 4;

test(`${COUNT} random sequences of operations look the same under node:cluster and under ours`, { timeout: 300_000 }, async () => {
  let seed = FIRST_SEED;
  const failures: string[] = [];
  const job = async (): Promise<void> => {
    while (seed < FIRST_SEED + COUNT && failures.length === 0) {
      const sequence = generate(seed++, LENGTH);
      const difference = await differs(sequence);
      if (difference === null) continue;
      failures.push(`seed ${seed - 1}, ${LENGTH} operations: ${JSON.stringify(await shrink(sequence))}\n` +
        `── node:cluster\n${difference.node}\n── ours\n${difference.ours}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, job));
  expect(failures).toEqual([]);
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
