/** D60: the daemon follows an app whose primary is replaced: it lists the new one, and nothing counts as a death. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OperateWorld, codeOf, get } from '../support/operate_world';
import { freePort } from '../support/free_port';

let world: OperateWorld;
beforeAll(() => { world = new OperateWorld(); });
afterAll(() => world.end());

test('the new primary is listed, logs on, has the pid file, is stopped and restarted as the old one; the daemon counts no restart', { timeout: 120_000 }, async () => {
  const port = await freePort();
  const exec = world.script('serving.js', `
    console.log('started', process.pid);
    require('node:http').createServer((request, response) => response.end(String(process.pid))).listen(Number(process.env.PORT));`);
  const pidFile = path.join(world.directory, 'api.pid');
  const first = await world.call('start', { spec: { ...world.spec('api'), exec, instances: 2, env: { PORT: String(port) }, supervise: { pidFile } } });
  expect(readFileSync(pidFile, 'utf8')).toBe(`${first.pid}\n`);

  const report = await world.app('api', 'upgrade') as { pid: number };
  const second = await world.until('api', ({ pid, state, ready }) => pid === report.pid && state === 'online' && ready === 2);
  expect(second).toMatchObject({ restarts: 0, instances: 2, reason: '' });
  expect(readFileSync(pidFile, 'utf8')).toBe(`${report.pid}\n`);
  await world.gone([Number(first.pid)]);
  expect(world.pids('primary', 'api')).toEqual([report.pid]);
  const workers = world.pids('worker', 'api');
  expect(workers).toHaveLength(2);
  expect(workers).toContain(Number(await get(port)));
  await world.logged(String(second.log), (lines) => workers.every((pid) => lines.some((line) => line.endsWith(`started ${pid}`))));

  // What cannot be taken leaves everything as it was.
  expect(await codeOf(world.app('api', 'upgrade', { execPath: '/bin/false' }))).toMatch(/^ERR_UPGRADE_FAILED: .*exited with 1/);
  expect(await codeOf(world.app('api', 'upgrade', { args: ['x'] }))).toMatch(/^ERR_INVALID_ARG_VALUE: .*params\.args/);
  expect(await codeOf(world.app('api', 'upgrade', { script: exec }))).toMatch(/^ERR_INVALID_ARG_VALUE: .*params\.script/);
  expect(await world.listed('api')).toMatchObject({ pid: report.pid, state: 'online', restarts: 0 });

  // A daemon that was not there finds the new primary; a scale reaches it; its death is a death.
  await world.kill(Number(world.pids('daemon')[0]));
  expect(await world.listed('api')).toMatchObject({ pid: report.pid, state: 'online' });
  await world.app('api', 'scale', { by: 1 });
  await world.kill(report.pid);
  const third = await world.until('api', ({ pid, state, ready }) => pid !== report.pid && state === 'online' && ready === 3);
  expect(third.restarts).toBe(1);
  expect(readFileSync(pidFile, 'utf8')).toBe(`${third.pid}\n`);

  // Twice in a row, then a stop.
  for (const _ of [1, 2]) {
    const { pid } = await world.app('api', 'upgrade') as { pid: number };
    await world.until('api', (app) => app.pid === pid && app.ready === 3);
  }
  expect(await world.call('stop', { name: 'api' })).toMatchObject({ state: 'stopped', pid: null });
  expect(world.pids('primary')).toEqual([]);
  expect(world.pids('worker')).toEqual([]);
  expect(existsSync(pidFile)).toBe(false);
});
