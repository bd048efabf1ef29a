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

test('keepListening, nobody else, a full queue, a server that closes, a primary that leaves: each connection is served, or closed where its worker ends', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/returned_places.js'), { deadline: 100_000 });
  expect(stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
    // How many the primary has taken; whether the other worker has some; closed; all.
    ['a thousand at once', 1000, true, 0, 1000],
    ['twice at once', true, 0],
    ['its server closes while it is offered', [1, 'open'], true, true],
    ['nobody listens any more, and the address is kept: it waits', [1, 1], true],
    ['nobody else listens: it stays', 0, true, 0],
    ['over the limit of queued connections: it stays', true, true, 60],
    ['the primary leaves meanwhile', 60],
  ]);
  expect([code, stderr]).toEqual([0, '']);
});
