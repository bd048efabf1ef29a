/** D58: a worker that gives back what it should not harms at most its own client. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { root, run } from '../support/program';

test('no such key, no handle, no connection of that address, the same twice, a thousand at once', async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/hostile_returns.js'), {});
  expect(stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
    ...['unknown key', 'no handle', 'datagram', 'listening', 'elsewhere', 'a socket of net'].map((what) => [what, false, true, true]),
    ['twice', [true, true], true, true], ['thousand', [1000, true], true, true],
    ['then', 'served'],
  ]);
  expect([code, stderr]).toEqual([0, '']);
});
