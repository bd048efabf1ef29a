/**
 * Issue F 6: tables that only grow. Servers, keys, binds that fail, refusals, connections and workers come and go,
 * and the heap has no more objects, closures or entries of tables than before: counted in snapshots of it.
 */
import path from 'node:path';
import { expect, test } from 'vitest';
import { dist, root, run } from '../support/program';

async function churn(mode: string, rounds: number, preload: readonly string[] = []): Promise<unknown> {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/churn.js'), {
    args: [mode, String(rounds)], execArgv: ['--expose-gc', ...preload], deadline: 55_000,
  });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

test('6: a primary whose workers come and go has as many of everything as before', async () => {
  expect(await churn('primary', 500)).toEqual([]);
});

test('6: a worker whose servers come and go, and its primary, have as many of everything as before', async () => {
  expect(await churn('servers', 300, ['--require', dist('lib/register.js')])).toEqual({ theirs: [], ours: [] });
});
