/**
 * The differences of other runtimes that others/ files: each program prints under Node what it says that Node prints.
 * `npm run conformance -- --others` plays them under the other runtimes too.
 */
import { describe, expect, test } from 'vitest';
import { others, printedBy } from './runtimes/others';
import { runtimeOf } from './runtimes/runtime';

describe.concurrent('what Node prints is as it is filed', () => {
  for (const other of others()) {
    test(other.name, async ({ expect }) => {
      const node = await runtimeOf('node', null);
      expect(typeof node === 'string' ? node : await printedBy(node, other)).toBe(other.node.text);
    });
  }
});

test('ten are filed for each runtime', () => {
  const filed = others().flatMap(({ runtimes }) => runtimes.map(({ runtime }) => runtime.split(' ')[0]));
  expect(['Bun', 'Deno'].map((name) => filed.filter((one) => one === name).length >= 10)).toEqual([true, true]);
});
