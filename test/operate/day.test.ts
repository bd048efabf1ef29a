/** The day of day.ts goes well, on this Node. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { root, run } from '../support/program';

test('start, scale, deploys, a rollback, deaths of all three kinds, logs, save, resurrect, stop: the exit codes are right, and no request is lost', async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/operate/day.ts'), { execArgv: ['--require', 'tsx/cjs'], deadline: 100_000 });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/\nA good day\.\n$/);
  expect(code).toBe(0);
}, 110_000);
