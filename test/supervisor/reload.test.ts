/** Reload under load, on our cluster and on Node's: no request fails, and there are never fewer ready workers than desired. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { fixture } from '../support/children';
import { SteadyLoad, styles } from '../support/steady_load';
import { get } from '../interop/load';
import { ours, stock, withApp, type Mode } from './app';

const RELOADS = 3;
/** Within this time each client sends again on its connection: it thinks for 10 ms, and has to get a processor. */
const GRACE_MS = 1_500;

test.each([['ours', ours], ['node:cluster', stock]])('%s: reloads break no connection: one-shot, reused, keepAlive, streaming and upgraded ones', async (_name, cluster) => {
  await withApp({ cluster, idleGraceMs: GRACE_MS }, 'serve', async (app) => {
    await app.supervisor.started;
    const load = new SteadyLoad(app.port);
    app.least = Infinity;
    let endedAlone = 0;
    for (let version = 2; version < 2 + RELOADS; version++) {
      app.write(version);
      const { outcome, workers } = await app.supervisor.reload();
      expect([outcome, workers.filter(({ became }) => became === 'ready').length]).toEqual(['done', 2]);
      const ends = workers.filter(({ became }) => became === 'left').map(({ code, signal }) => code ?? signal);
      endedAlone += ends.filter((end) => end === 0).length;
      // A worker may take a second to end. On a busy machine one may take longer, and is ended by SIGTERM.
      expect(ends.map((end) => (end === 'SIGTERM' ? 0 : end))).toEqual([0, 0]);
    }
    expect(endedAlone).toBeGreaterThan(0);
    const tallies = await load.stop();
    expect(load.failures).toEqual([]);
    for (const style of styles) expect(tallies[style].requests, style).toBeGreaterThan(RELOADS);
    expect(Object.keys(tallies['one-shot'].versions).sort()).toEqual(['1', '2', '3', '4']);
    expect(app.least).toBe(2);
    expect(app.messages, 'the app\'s own messages alone').toEqual([]);
  });
});

describe('a release that does not work: the reload is aborted with the reason, and no request fails', () => {
  test.each<[Mode, RegExp]>([
    ['throws', /^reload of .*app\.js aborted: the canary, worker \d+, did not make it: exited with 1: Error: .+$/],
    ['exits', /: exited with 0$/],
    ['never listens', /: not ready within 2500 ms$/],
    ['dies later', /: exited with 3$/],
  ])('%s', async (mode, reason) => {
    await withApp({ readyTimeoutMs: mode === 'never listens' ? 2_500 : 30_000, canaryMs: 2_000, idleGraceMs: GRACE_MS }, 'serve', async (app) => {
      await app.supervisor.started;
      const load = new SteadyLoad(app.port, { chosen: ['one-shot', 're-used'] });
      app.least = Infinity;
      app.write(2, mode);
      await expect(app.supervisor.reload()).rejects.toMatchObject({ code: 'ERR_RELOAD_ABORTED', message: expect.stringMatching(reason) });
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(app.least).toBe(2);
      expect(app.supervisor.status()).toMatchObject({ desired: 2, ready: 2, reload: 'idle', generation: 1 });
      expect(await get(app.port)).toMatch(/^1 /);
    });
  });
});

test('a script that was deleted: the reload is rejected at once, and the old workers serve on', async () => {
  await withApp({}, 'serve', async (app) => {
    await app.supervisor.started;
    renameSync(app.script, `${app.script}.gone`);
    await expect(app.supervisor.reload()).rejects.toMatchObject({ code: 'ERR_RELOAD_ABORTED', message: `there is no script ${app.script}` });
    expect(await get(app.port)).toMatch(/^1 /);
    expect(app.supervisor.status().ready).toBe(2);
  });
});

test.each([['ours', ours], ['node:cluster', stock]])('%s: the symlinks to the script and to the directory are followed again at each reload, and only then', async (_name, cluster) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'releases-'));
  const release = (version: number): string => {
    const folder = path.join(directory, String(version));
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'app.js'), `require(${JSON.stringify(fixture('supervised_app.js'))})(${version});`);
    return folder;
  };
  const link = path.join(directory, 'current');
  const point = (to: string): void => {
    symlinkSync(to, `${link}.new`);
    renameSync(`${link}.new`, link);
  };
  point(release(1));
  await withApp({ cluster, workers: 1, exec: path.join(link, 'app.js'), cwd: link }, 'serve', async (app) => {
    await app.supervisor.started;
    point(release(2));
    const [old] = app.pids;
    process.kill(old as number, 'SIGKILL');
    await app.until(() => app.supervisor.status().ready === 1 && app.pids[0] !== old, 'the replacement');
    expect(await get(app.port), 'a crash is repaired by the release that runs').toMatch(/^1 /);
    expect(await get(app.port, '/cwd')).toBe(path.join(directory, '1'));
    await app.supervisor.reload();
    expect(await get(app.port)).toMatch(/^2 /);
    expect(await get(app.port, '/cwd')).toBe(path.join(directory, '2'));
    expect(app.supervisor.status()).toMatchObject({ exec: path.join(directory, '2', 'app.js'), cwd: path.join(directory, '2') });
    expect(app.cluster.settings.cwd, 'the program\'s settings').toBeUndefined();
  });
  rmSync(directory, { recursive: true });
});
