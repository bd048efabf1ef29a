/** D58: what an app or a client does while a connection moves harms nobody else: no call hangs, nothing is lost or left over. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { root, run } from '../support/program';

const INVALID = 'ERR_INVALID_ARG_VALUE';

test('apps that re-enter, throw, destroy, close, end; clients that go away, pipeline, upgrade; a taker that stands still; wrong options', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/moving_faults.js'), { deadline: 100_000 });
  expect(stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
    ['rebalance', Array(9).fill(INVALID)],
    ['before listen', 0],
    ['nobody else', 0, 0],
    ['wrong options, in the worker', [...Array(8).fill(INVALID), 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', INVALID]],
    ['wrong options, in the primary', Array(8).fill(INVALID)],
    ['max 0', 0],
    ['max 3', 3],
    ['max 1e9', true],
    ['four addresses', ['one', 'two', 'file', 'abstract']],
    ['200 calls at once', true, false],
    // How many the primary has taken (of several calls: one that has come back counts twice), uncaught exceptions, and whether one was closed.
    ['movable promise', 0, 0, false], // Nobody waits for it.
    ['movable enters', true, 0, false],
    ['movable throws', 25, 25, false],
    ['movable listens', 0, 0, false], // To 'data': so the app reads itself.
    ['movable destroys', 0],
    ['movable closes', true, true],
    ['half-closed, reset, one byte', 20],
    ['nothing is left of them', true],
    ['100 pipelined requests', 0],
    ['an upgrade', 0],
    ['the taker stands still', true, false, 0],
    ['movable ends the process', 'gone'],
    ['then', true, true, 50],
    ['in an exit listener', 'gone'],
    ['dialect node', 0, false, false],
    ['after disconnect', true],
  ]);
  expect([code, stderr]).toEqual([0, '']);
});
