/** The daemon asks a primary which command it was started for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { performance, timers } from '../../internal/builtins';
import { ControlServer } from '../../internal/operate/control/server';
import { LivePrimary } from '../../internal/operate/daemon/live_primary';

afterEach(() => { vi.restoreAllMocks(); });

// A daemon that starts waits for all apps. Each of its commands waited for ever, for all apps, because of one primary that stood still (SIGSTOP) in that moment.
test('a primary that has said who it is, and then stands still, counts as one that does not answer', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'live-primary-'));
  const socket = path.join(directory, 'web.sock');
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
  rmSync(directory, { recursive: true });
}, 10_000);
