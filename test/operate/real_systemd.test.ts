/**
 * The guide's chapter on systemd, block by block, under a real systemd: its commands, then its units. What systemd.test.ts
 * shows with a stand-in is asked of systemd itself here: is it ready, does it reload, which process is the main one?
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chapterBlocks, replaced } from '../support/guide';
import { dist } from '../support/program';
import { RealSystemd, noSystemd, until } from '../support/real_systemd';

/** A block that is not named here has no test. */
const [commands, service, socket] = chapterBlocks('With systemd', ['sh', 'ini', 'ini']) as [string, string, string];

if (noSystemd !== null) console.warn(`NOT TESTED: the guide's units under a real systemd, because ${noSystemd}`);

const directory = mkdtempSync(path.join(tmpdir(), 'real-systemd-'));
const bin = path.join(directory, 'bin');
mkdirSync(bin);
symlinkSync(dist('lib/cli.js'), path.join(bin, 'cluster-internals'));
writeFileSync(path.join(bin, 'sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
/** Of 20 restarts, 5 reset a client. `reset-failed`: systemd refuses more than five in ten seconds. */
const RESTARTS = 10;
const systemd = new RealSystemd(bin, path.dirname(process.execPath));

/** The value of the comment at the head of a unit: where it belongs. */
const fileOf = (unit: string): string => /^# (\/\S+)\n/.exec(unit)?.[1] ?? '';
const answer = (): Promise<string> => systemd.run('curl -sS --max-time 20 http://127.0.0.1:8000');
const isState = (state: string, text: RegExp) => async (): Promise<boolean> => {
  const { ActiveState, StatusText } = await systemd.show('api');
  return ActiveState === state && text.test(StatusText ?? '');
};

describe.skipIf(noSystemd !== null)('a real systemd (left out where there can be none)', () => {
  beforeAll(() => systemd.start());
  afterAll(async () => {
    await systemd.end();
    rmSync(directory, { recursive: true });
  });

  test('the commands of the guide: `unit` writes units that start, reload and stop an app', { timeout: 120_000 }, async () => {
    systemd.write('/srv/api/api.js', "require('node:http').createServer((request, response) => response.end(String(process.pid))).listen(8000);\n");
    await systemd.run(commands, '/srv/api'); // `enable --now` ends when the service is ready.
    expect(await systemd.show('api')).toMatchObject({ ActiveState: 'active', SubState: 'running', Type: 'notify', StatusText: expect.stringMatching(/^(\d+) of \1 workers ready, release 1$/) as string });
    expect(await systemd.run('curl -sS -o /dev/null -w "%{http_code}" http://127.0.0.1:9000/readyz')).toBe('200');
    const before = await answer();
    await systemd.run('systemctl reload api'); // It ends when the reload has.
    expect(await answer()).not.toBe(before);
    expect(await systemd.run('systemctl is-enabled api api.socket')).toBe('enabled\nenabled\n');
    await systemd.run('systemctl stop api.socket api');
    expect(await systemd.show('api')).toMatchObject({ ActiveState: 'inactive', Result: 'success', ExecMainStatus: '0', NRestarts: '0' });
  });

  test('the units of the guide: socket, readiness, reload, upgrade, watchdog, restart and stop, as systemd sees them', { timeout: 120_000 }, async () => {
    // What differs from the guide: the watchdog is not waited for so long.
    const units = [service, socket].map((unit) => [fileOf(unit), replaced(unit, { 'WatchdogSec=30': 'WatchdogSec=2' })] as const);
    for (const [file, unit] of units) systemd.write(file, unit);
    systemd.write('/srv/api/main.js', `
      const cluster = require(${JSON.stringify(dist('lib/cluster.js'))});
      if (cluster.isPrimary) require(${JSON.stringify(dist('lib/supervisor.js'))}).supervise({ workers: 2, upgradeSignal: true });
      else (function serve() {
        if (require('node:fs').existsSync('/srv/api/hold')) return setTimeout(serve, 20);
        require('node:http').createServer((request, response) => response.end(String(process.pid))).listen(8000);
      })();
    `);
    expect(await systemd.tries(`systemd-analyze verify ${units.map(([file]) => file).join(' ')}`)).toEqual({ code: 0, stdout: '', stderr: '' });
    await systemd.run('systemctl daemon-reload && systemctl start api.socket');

    // A client is there before the service, which its connection starts.
    const first = await answer();
    await until('it is ready', isState('active', /^2 of 2 workers ready, release 1$/));
    const { MainPID } = await systemd.show('api');
    expect(await systemd.run(`stat -c %U /proc/${MainPID}`)).toBe('www-data\n');

    // The new release is not ready before its state was seen. On a busy machine systemd may show it late.
    await systemd.run('touch /srv/api/hold && systemctl reload api');
    await until('systemd sees the reload', isState('reloading', /./));
    await systemd.run('rm /srv/api/hold');
    await until('systemd sees its end', isState('active', /^2 of 2 workers ready, release 2$/));
    expect([first, await systemd.run(`ps -o pid= --ppid ${MainPID}`)]).toEqual([first, expect.not.stringContaining(first)]);

    await systemd.run('systemctl kill --kill-who=main --signal=USR2 api');
    await until('another process is the main one', async () => ![MainPID, '0'].includes((await systemd.show('api'))['MainPID']));
    await until('the first one is gone', async () => (await systemd.tries(`kill -0 ${MainPID}`)).code !== 0);
    const upgraded = await systemd.show('api');
    expect(upgraded).toMatchObject({ ActiveState: 'active', NRestarts: '0' });
    expect(await systemd.run(`ps -o pid= --ppid ${upgraded['MainPID']}`)).toContain(await answer());

    // A primary that hangs says nothing any more.
    await systemd.run('systemctl kill --kill-who=main --signal=STOP api');
    await until('the watchdog ends it', async () => (await systemd.show('api'))['NRestarts'] === '1');
    await answer();
    await until('it is ready again', isState('active', /^2 of 2 workers ready, release 1$/));

    // One client after another while the service is restarted again and again: nobody is refused, or reset.
    const clients = systemd.run('until [ -e /run/over ]; do curl -sS --max-time 20 -o /dev/null http://127.0.0.1:8000 || echo failed; echo asked; done 2>&1');
    for (let restarts = 0; restarts < RESTARTS; restarts++) await systemd.run('systemctl reset-failed api && systemctl restart api');
    await systemd.run('touch /run/over');
    const asked = await clients;
    expect(asked.replaceAll('asked\n', '')).toBe('');
    expect(asked.length).toBeGreaterThan(0);

    await systemd.run('systemctl stop api.socket api');
    expect(await systemd.show('api')).toMatchObject({ ActiveState: 'inactive', Result: 'success', ExecMainStatus: '0' });
  });
});
