/** The daemon asks a primary which command it was started for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { performance, timers } from '../../internal/builtins';
import { ControlClient } from '../../internal/operate/control/client';
import { ControlServer } from '../../internal/operate/control/server';
import { LivePrimary } from '../../internal/operate/daemon/live_primary';

const directory = mkdtempSync(path.join(tmpdir(), 'live-primary-'));
const socket = path.join(directory, 'web.sock');
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => { vi.restoreAllMocks(); });

// A daemon that starts waits for all apps. Each of its commands waited for ever, for all apps, because of one primary that stood still (SIGSTOP) in that moment.
test('a primary that has said who it is, and then stands still, counts as one that does not answer', async () => {
  const server = new ControlServer({ kind: 'app', name: 'web', pid: process.pid, startedBy: 'daemon' }, {
    run: (_params, { signal }) => new Promise((resolve) => { signal.addEventListener('abort', () => resolve(null)); }),
  });
  await server.listen(socket, directory);
  const { now } = performance;
  const { setTimeout: wait } = timers;
  vi.spyOn(performance, 'now').mockImplementation(() => now() * 100);
  vi.spyOn(timers, 'setTimeout').mockImplementation(((call: () => void, ms: number) => wait(call, ms / 100)) as never);
  expect(await LivePrimary.find(socket)).toBe(null);
  vi.restoreAllMocks();
  await server.close();
}, 10_000);

// The daemon took the death of the one that was replaced for a death of the app, and counted a restart.
test('a primary that was replaced has a successor, which may have the socket only a while later; one that has died has none', async () => {
  const former = { pid: process.pid - 1, wasReplaced: true };
  expect(await LivePrimary.find(socket, null, { ...former, wasReplaced: false })).toBe(null);
  const found = LivePrimary.find(socket, null, former);
  let looks = 0;
  const connect = ControlClient.connect.bind(ControlClient);
  const looked = new Promise<void>((resolve) => {
    vi.spyOn(ControlClient, 'connect').mockImplementation((...given) => {
      if (++looks === 2) resolve();
      return connect(...given);
    });
  });
  await looked;
  const server = new ControlServer({ kind: 'app', name: 'web', pid: process.pid, startedBy: 'daemon' }, {
    run: () => Promise.resolve({ id: 'a', run: 1 }), lifetime: (_params, { signal }) => new Promise((resolve) => { signal.addEventListener('abort', () => resolve(null)); }),
  });
  await server.listen(socket, directory);
  const primary = await found;
  expect([primary?.pid, primary?.isOurs]).toEqual([process.pid, true]);
  primary?.letGo();
  await server.close();
});
