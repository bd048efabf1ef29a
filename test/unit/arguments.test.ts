// Guards that no tool runs with an argument that it did not understand: with NaN it would do nothing, and report no fault.
import { expect, test } from 'vitest';
import { WrongArgument, help, readArguments, type Description, type Options } from '../support/arguments';

const options = {
  count: { takes: 'whole number', default: 2000, about: 'how many' },
  seed: { takes: 'whole number', default: 1, least: 0, about: 'the first seed' },
  seconds: { takes: 'number', default: 2, about: 'how long' },
  node: { takes: 'text', default: 'node', about: 'which Node' },
  only: { takes: 'text', about: 'which ones' },
  stock: { takes: 'nothing', about: 'on stock' },
} as const satisfies Options;
const tool: Description<typeof options> = { name: 'tool', usage: 'npm run tool --', about: 'Does it.', takes: 'a minute', example: 'npm run tool -- --count 5', options };

test('what is given, and the defaults of the rest', () => {
  expect(readArguments(tool, [])).toEqual({ values: { count: 2000, seed: 1, seconds: 2, node: 'node', only: undefined, stock: false }, positionals: [] });
  expect(readArguments(tool, ['--count', '5', '--seed=0', '--seconds', '0.5', '--only', 'x', '--stock'])).toMatchObject({ values: { count: 5, seed: 0, seconds: 0.5, only: 'x', stock: true } });
  expect(readArguments({ ...tool, positionals: { name: '[rows]', about: 'which' } }, ['a', 'b'])).toMatchObject({ positionals: ['a', 'b'] });
});

test.each([
  [['--count', 'abc']], [['--count', '0']], [['--count', '-5']], [['--count=-5']], [['--count=']], [['--count', '']], [['--count', ' ']], [['--count', '1.5']],
  [['--count', '1e3']], [['--count', '99999999999999999999']], [['--count', 'NaN']], [['--count', 'Infinity']], [['--count', '0x10']], [['--count']],
  [['--seed', '-1']], [['--seconds', '0']], [['--seconds', '-1']], [['--seconds', 'x']], [['--node=']], [['--only', '']], [['--only', ' ']],
  [['--stock=yes']], [['--unknown']], [['--unknown', '5']], [['-x']], [['word']], [['--', 'word']], [['--no-stock']],
])('%j is one line that says what is wrong', (args) => {
  let error: unknown;
  try {
    readArguments(tool, args);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(WrongArgument);
  expect((error as Error).message).toMatch(/^.+$/);
});

test('--help names each option, its default, and what is taken without a name', () => {
  const text = help({ ...tool, positionals: { name: '[rows]', about: 'which rows' } });
  for (const part of ['npm run tool -- [rows] [options]', 'Does it.', 'a minute', 'npm run tool -- --count 5', '--count N', 'how many; 2000 by default', '--node TEXT', '--stock ', '--help', 'which rows']) expect(text).toContain(part);
  expect(readArguments(tool, ['--help'])).toBe('help');
});
