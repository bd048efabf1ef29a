/**
 * The daemon: what it starts goes on without it, and the next one finds it. One world for most tests, since each process
 * costs time: a daemon, and an app or two.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { controlPath } from '../../internal/operate/control/directory';
import { ControlServer } from '../../internal/operate/control/server';
import { spawnDaemon } from '../../internal/operate/daemon/spawn_daemon';
import { untilNextLook } from '../support/live';
import { OperateWorld, asUser, codeOf, get } from '../support/operate_world';
import { freePort } from '../support/free_port';
import { dist } from '../support/program';

let world: OperateWorld;
beforeAll(() => { world = new OperateWorld(); });
afterAll(() => world.end());

/** Each test begins without apps, and with the daemon of the test before, if that is still there. */
afterEach(async () => {
  for (const { name } of (await world.call('list')).apps) await world.call('delete', { name, now: true });
});

const serving = (): string => world.script('serving.js', `
  console.log('started with', process.env.COLOUR);
  console.error('and to stderr');
  const server = require('node:http').createServer((request, response) => response.end(String(process.pid)));
  server.listen({ port: Number(process.env.PORT), exclusive: process.env.EXCLUSIVE === 'yes' });`);

describe('an app and its daemon', () => {
  test('a day: start, list, logs, scale; the daemon is killed, the primary is killed, both come back as they were', async () => {
    const port = await freePort();
    const app = await world.call('start', { spec: { ...world.spec('web'), exec: serving(), instances: 2, env: { COLOUR: 'red', PORT: String(port) }, supervise: {}, logs: { worker: true, time: true } } });
    expect(app).toMatchObject({ name: 'web', state: 'online', startedBy: 'daemon', instances: 2, ready: 2, restarts: 0, moved: 0 });
    const printed = ['[1] and to stderr', '[1] started with red', '[2] and to stderr', '[2] started with red'];
    await world.logged(String(app.log), (lines) => isDeepStrictEqual(lines.map((line) => line.slice(25)).sort(), printed));
    expect(await codeOf(world.call('start', { spec: world.spec('web') }))).toMatch(/^ERR_ALREADY_RUNNING: web is already running \(online, pid \d+\)/);
    await world.app('web', 'scale', { by: 1 });

    const [daemon] = world.pids('daemon');
    const workers = world.pids('worker', 'web');
    await world.kill(Number(daemon));
    expect(workers).toContain(Number(await get(port))); // The app serves without a daemon.
    expect(await world.listed('web')).toMatchObject({ pid: app.pid, state: 'online', instances: 3 });
    expect(world.pids('daemon')).not.toEqual([daemon]);

    // The daemon that is not the parent of the primary restarts it.
    await world.kill(Number(app.pid));
    const next = await world.until('web', ({ state, pid, ready }) => state === 'online' && pid !== app.pid && ready === 3);
    expect(next.restarts).toBe(1);
    await world.gone(workers);
    expect(world.pids('worker', 'web')).toContain(Number(await get(port)));
    // And so does the daemon that is its parent.
    await world.kill(Number(next.pid));
    expect((await world.until('web', ({ state, pid }) => state === 'online' && pid !== next.pid)).restarts).toBe(2);

    expect(await world.call('stop', { name: 'web' })).toMatchObject({ state: 'stopped', pid: null, instances: 3 });
    expect(world.pids('worker')).toEqual([]);
    expect(await world.call('start', { name: 'web' })).toMatchObject({ state: 'online', ready: 3, restarts: 0 });
  });

  test('workers that listen for themselves hold their port for a moment when the primary is killed: the next ones get it', async () => {
    const port = await freePort();
    const first = await world.call('start', { spec: { ...world.spec('own'), exec: serving(), env: { PORT: String(port), EXCLUSIVE: 'yes' } } });
    await world.kill(Number(first.pid));
    await world.until('own', ({ state, pid, ready }) => state === 'online' && pid !== first.pid && ready === 1);
    const answered = async (): Promise<string> => get(port).catch(() => untilNextLook().then(answered));
    expect(world.pids('worker', 'own')).toContain(Number(await answered()));
  });

  test('a worker that is hung when its primary is killed: the next primary kills it', async () => {
    const exec = world.script('hung.js', "if (process.env.NODE_APP_INSTANCE === '0' && !require('node:fs').existsSync(__filename + '.once')) { require('node:fs').writeFileSync(__filename + '.once', ''); setTimeout(() => { for (;;); }, 100); } setInterval(() => {}, 2 ** 30);");
    const first = await world.call('start', { spec: { ...world.spec('hung'), exec, supervise: { ready: 'online', leaveTimeoutMs: 500, pingMs: 0 } } });
    const [worker] = world.pids('worker', 'hung');
    const isBusy = (): boolean => { // It is in its loop when it uses its CPU.
      const fields = readFileSync(`/proc/${worker}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
      return Number(fields[11]) > 50;
    };
    while (!isBusy()) await untilNextLook();
    await world.kill(Number(first.pid));
    await world.until('hung', ({ state, pid }) => state === 'online' && pid !== first.pid);
    await world.gone([Number(worker)]);
    expect(world.pids('worker', 'hung')).toHaveLength(1);
  });

  test('`stop` at the socket of the app is a stop, and no death; SIGTERM to its primary is a death', async () => {
    await world.call('start', { spec: world.spec('direct') });
    const [primary] = world.pids('primary', 'direct');
    await world.kill(Number(primary), 'SIGTERM');
    await world.until('direct', ({ state, pid }) => state === 'online' && pid !== primary);
    await world.app('direct', 'stop').catch(() => undefined);
    await world.until('direct', ({ state }) => state === 'stopped');
    await world.kill(Number(world.pids('daemon')[0]));
    expect(await world.listed('direct')).toMatchObject({ state: 'stopped' });
  });

  test('the environment is that of the spec, and nothing of the daemon\'s; restart: another process, the same app', async () => {
    const out = path.join(world.directory, 'env.json');
    const exec = world.script('env.js', "require('node:fs').writeFileSync(process.env.OUT, JSON.stringify(process.env)); process.send('ready');");
    const first = await world.call('start', { spec: world.spec('env', { exec, env: { OUT: out, COLOUR: 'blue' }, execArgv: ['--no-warnings'], supervise: { ready: 'message' } }) });
    const seen = JSON.parse(readFileSync(out, 'utf8')) as Record<string, string>;
    expect([seen['COLOUR'], seen['NODE_APP_INSTANCE'], seen['HOME'], seen['XDG_RUNTIME_DIR']]).toEqual(['blue', '0', undefined, undefined]);
    const again = await world.call('restart', { name: 'env' });
    expect([again.pid !== first.pid, again.state, again.restarts]).toEqual([true, 'online', 0]);
    expect(world.pids('primary')).toEqual([again.pid]);
  });

  test('save and resurrect: what ran is started again, what runs is left alone', async () => {
    const one = await world.call('start', { spec: world.spec('one') });
    await world.call('start', { spec: world.spec('two') });
    expect([...(await world.call('save')).names].sort()).toEqual(['one', 'two']);
    await world.call('delete', { name: 'two' });
    expect((await world.call('resurrect')).apps).toEqual([{ name: 'two', error: null }]);
    expect((await world.call('list')).apps.map(({ name, state }) => `${name} ${state}`)).toEqual(['one online', 'two online']);
    expect((await world.listed('one')).pid).toBe(one.pid);
    writeFileSync(path.join(world.state, 'saved.json'), '{"specs":[{"name":"one"},7,');
    expect(await codeOf(world.call('resurrect'))).toMatch(/^ERR_NOTHING_SAVED: What was saved cannot be read/);
  });

  test('SIGHUP does nothing, SIGTERM and kill without the apps end the daemon alone; kill stops the apps, too', async () => {
    const { pid } = await world.call('start', { spec: world.spec('app') });
    const [daemon] = world.pids('daemon');
    process.kill(Number(daemon), 'SIGHUP');
    await world.listed('app');
    expect(world.pids('daemon')).toEqual([daemon]);
    await world.kill(Number(daemon), 'SIGTERM');
    await world.call('list');
    const [next] = world.pids('daemon');
    expect(await world.call('kill', { apps: false })).toEqual({ apps: [] });
    await world.gone([Number(next)]);
    expect(await world.listed('app')).toMatchObject({ state: 'online', pid });
    expect(await world.call('kill')).toEqual({ apps: [{ name: 'app', error: null }] });
    await world.gone(world.processes().map((one) => one.pid));
    expect(await world.listed('app')).toMatchObject({ state: 'stopped' });
  });

  test('all workers end by themselves: stopped if their exit code says so, otherwise errored with the reason; neither is restarted', async () => {
    const exec = world.script('ends.js', "process.send('ready'); console.error('good bye'); process.stderr.write('', () => setTimeout(() => process.exit(7), 100));");
    const supervise = { ready: 'message', restarts: { max: 1, minDelayMs: 1 } };
    await world.call('start', { spec: world.spec('done', { exec, supervise: { ...supervise, stopExitCodes: [7] } }) });
    await world.call('start', { spec: world.spec('died', { exec, supervise }) });
    await world.until('done', ({ state }) => state === 'stopped');
    expect((await world.until('died', ({ state }) => state === 'errored')).reason).toMatch(/^good bye \(place 1 is given up: it would take more than 1 restarts/);
    expect(readFileSync(path.join(world.state, 'daemon.log'), 'utf8')).not.toMatch(/(done|died): started primary[^]*(done|died): started primary[^]*(done|died): started primary/);
  });

  test('four that start the daemon at once: one wins, all are served', async () => {
    const before = world.pids('daemon');
    await Promise.all(before.map((pid) => world.kill(pid)));
    await Promise.all([1, 2, 3, 4].map(() => spawnDaemon()));
    await Promise.all([1, 2, 3, 4].map(() => world.callRunning('list')));
    // Those that lost end by themselves.
    while (world.pids('daemon').length > 1) await untilNextLook();
    expect(world.pids('daemon')).toHaveLength(1);
  });
});

describe('bad input', () => {
  const bad = (change: object): Record<string, unknown> => ({ spec: { ...world.spec('bad'), ...change } });

  test.each([
    ['a script that is not there', () => bad({ exec: '/nowhere/app.js' }), /^ENOENT: There is no script \/nowhere\/app\.js/],
    ['a directory', () => bad({ exec: world.directory }), /^EISDIR: .* is a directory, and not a script/],
    ['a working directory that is not there', () => bad({ cwd: '/nowhere' }), /^ENOENT: There is no directory \/nowhere/],
    ['a name with a slash', () => bad({ name: '../x' }), /^ERR_INVALID_ARG_VALUE: .*spec\.name/],
    ['a name of dots', () => bad({ name: '..' }), /^ERR_INVALID_ARG_VALUE/],
    ['a name of 300 characters', () => bad({ name: 'n'.repeat(300) }), /^ERR_INVALID_ARG_VALUE/],
    ['a name that is no text', () => bad({ name: 7 }), /^ERR_INVALID_ARG_TYPE/],
    ['a relative path', () => bad({ exec: 'app.js' }), /^ERR_INVALID_ARG_VALUE: .*absolute/],
    ['args that are no texts', () => bad({ args: [1] }), /^ERR_INVALID_ARG_TYPE/],
    ['a variable that is no text', () => bad({ env: { PORT: 80 } }), /^ERR_INVALID_ARG_TYPE: .*spec\.env\.PORT/],
    ['no workers', () => bad({ instances: 0 }), /^ERR_OUT_OF_RANGE/],
    ['an unknown option', () => bad({ supervise: { signals: false } }), /^ERR_INVALID_ARG_VALUE: .*spec\.supervise\.signals/],
    ['a wrong option', () => bad({ supervise: { canaryMs: -1 } }), /^ERR_OUT_OF_RANGE: .*canaryMs/],
    ['an unknown property', () => bad({ color: 1 }), /^ERR_INVALID_ARG_VALUE: .*spec\.color/],
    ['no spec', () => ({ spec: null }), /^ERR_INVALID_ARG_TYPE/],
    ['nothing', () => ({}), /^ERR_INVALID_ARG_TYPE/],
    ['an app that is not there', () => ({ name: 'nobody' }), /^ERR_NO_SUCH_APP/],
  ])('start of %s: an error, and nothing is left', async (_what, params, message) => {
    expect(await codeOf(world.call('start', params()))).toMatch(message);
    expect((await world.call('list')).apps).toEqual([]);
  });

  test('a script that throws: the error begins with that of the script, within seconds; the app is errored, also for the next daemon', async () => {
    const exec = world.script('throws.js', "throw new Error('no database');");
    const began = performance.now();
    expect(await codeOf(world.call('start', bad({ exec, instances: 2, supervise: { ready: 'message' } })))).toMatch(/^ERR_START_FAILED: bad did not start: Error: no database \(3 workers in a row ended .*exited with 1\)$/);
    expect(performance.now() - began).toBeLessThan(25_000);
    expect(await world.listed('bad')).toMatchObject({ state: 'errored', pid: null, reason: expect.stringContaining('no database') as string });
    await world.kill(Number(world.pids('daemon')[0]));
    expect(await world.listed('bad')).toMatchObject({ state: 'errored', reason: expect.stringContaining('no database') as string });
    world.script('throws.js', "process.send('ready');");
    expect(await world.call('start', { name: 'bad' })).toMatchObject({ state: 'online', reason: '' });
  });

  test('a script that never listens: an error when readyTimeoutMs is over', async () => {
    expect(await codeOf(world.call('start', bad({ supervise: { readyTimeoutMs: 300, ready: 'listening' } })))).toMatch(/^ERR_START_FAILED: bad did not start: a worker did not become ready: not ready within 300 ms/);
    expect((await world.listed('bad')).state).toBe('errored');
  });

  test('a primary that cannot start: the words of Node', async () => {
    expect(await codeOf(world.call('start', bad({ env: { NODE_OPTIONS: '--bogus' } })))).toMatch(/--bogus is not allowed in NODE_OPTIONS \(its primary exited with 9 before it could work\)$/);
  });

  test('a name that a program has taken', async () => {
    const server = new ControlServer({ kind: 'app', name: 'taken', pid: process.pid, startedBy: 'program' }, { status: async () => ({ desired: 3, ready: 2, exec: 'x', workers: [{}, { place: 1, pid: 5, state: { is: 'ready' } }] }) });
    await server.listen(controlPath('taken'));
    try {
      expect(await codeOf(world.call('start', bad({ name: 'taken' })))).toMatch(/^ERR_ALREADY_RUNNING: taken is already running: pid \d+, started by program/);
      expect(await world.listed('taken')).toMatchObject({ startedBy: 'program', pid: process.pid, instances: 3, ready: 2, workers: [{ place: 1, pid: 5, state: 'ready' }] });
      for (const method of ['stop', 'delete', 'restart'] as const) expect(await codeOf(world.call(method, { name: 'taken' }))).toMatch(/^ERR_NO_SUCH_APP/);
    } finally {
      await server.close();
    }
  });

  test('records that are cut off or garbage are skipped with a warning; a record of another boot is not started', async () => {
    await world.call('start', { spec: world.spec('good') });
    await world.call('kill');
    await world.gone(world.processes().map((one) => one.pid));
    const good = readFileSync(path.join(world.state, 'apps/good.json'), 'utf8');
    writeFileSync(path.join(world.state, 'apps/cut.json'), good.slice(0, 40));
    writeFileSync(path.join(world.state, 'apps/garbage.json'), Buffer.from([0, 255, 1]));
    writeFileSync(path.join(world.state, 'apps/other.json'), good);
    writeFileSync(path.join(world.state, 'apps/.hidden.json'), good);
    writeFileSync(path.join(world.state, 'apps/rebooted.json'), JSON.stringify({ ...JSON.parse(good) as object, wanted: 'running', boot: 'another', spec: world.spec('rebooted') }));
    writeFileSync(path.join(world.state, 'current/good.json'), 'garbage');
    const { apps, warnings } = await world.call('list');
    expect(apps.map(({ name, state }) => `${name} ${state}`)).toEqual(['good stopped', 'rebooted stopped']);
    expect(warnings.map((warning) => /(\w+)\.json/.exec(warning)?.[1])).toEqual(['cut', 'garbage', 'other']);
    expect(await world.call('start', { spec: world.spec('cut') })).toMatchObject({ state: 'online' });
    for (const name of ['garbage', 'other']) rmSync(path.join(world.state, `apps/${name}.json`));
  });

  test('a record that cannot be written: the command fails with the reason, and what runs goes on', async () => {
    const { pid } = await world.call('start', { spec: world.spec('app') });
    const apps = path.join(world.state, 'apps');
    // A file is where the directory was: a full disk fails in the same function.
    renameSync(apps, `${apps}-away`);
    writeFileSync(apps, '');
    for (const [method, params] of [['stop', { name: 'app' }], ['delete', { name: 'app' }], ['restart', { name: 'app' }], ['start', { spec: world.spec('next') }]] as const) {
      expect(await codeOf(world.call(method, params))).toMatch(/^E(EXIST|NOTDIR): Nothing was done, because the record of \w+ cannot be written/);
    }
    expect((await world.call('list')).apps).toMatchObject([{ name: 'app', state: 'online', pid }]);
    rmSync(apps);
    renameSync(`${apps}-away`, apps);
  });
});

// Only root can become another user.
describe.skipIf(process.getuid?.() !== 0)('two users', () => {
  test('root\'s daemon and that of another user are apart, also with the variables of the other', async () => {
    await world.call('start', { spec: world.spec('mine') });
    chmodSync(world.directory, 0o755);
    const home = path.join(world.directory, 'home-of-nobody');
    mkdirSync(home);
    await asUser('root', ['chown', 'nobody', home], process.env);
    const program = world.script('list.js', `
      const { spawnDaemon, daemonSocket } = require(${JSON.stringify(dist('internal/operate/daemon/spawn_daemon.js'))});
      const { ControlClient } = require(${JSON.stringify(dist('internal/operate/control/client.js'))});
      spawnDaemon().then(() => ControlClient.connect(daemonSocket())).then(async (client) => {
        console.log(JSON.stringify([daemonSocket(), (await client.call('list')).apps.length]));
        await client.call('kill');
        client.close();
      }).catch((error) => console.log(error.code, error.message));`);
    const node = [process.execPath, program];
    // XDG_RUNTIME_DIR is root's, as after \`su\`: it is not used.
    const apart = await asUser('nobody', node, { ...process.env, HOME: home });
    expect(JSON.parse(apart)).toEqual([expect.not.stringContaining(world.directory) as string, 0]);
    // HOME is root's, too: an error that says what to do.
    expect(await asUser('nobody', node, process.env)).toMatch(/EACCES|ERR_STATE_DIRECTORY/);
    expect(await world.listed('mine')).toMatchObject({ state: 'online' });
    expect(statSync(world.state).mode & 0o077).toBe(0);
  });
});

test('idle, with four apps: the daemon is small, and nothing wakes it up', async () => {
  await Promise.all([1, 2, 3, 4].map((number) => world.call('start', { spec: world.spec(`app${number}`) })));
  const [daemon] = world.pids('daemon');
  const status = (): { switches: number; rss: number } => {
    const text = readFileSync(`/proc/${daemon}/status`, 'utf8');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    return { switches: field('voluntary_ctxt_switches'), rss: field('VmRSS') };
  };
  // Each look at the list wakes it up; then it has nothing to do. A second without one is long enough for any timer that polls.
  // On a busy machine the last steps of the starts come a while after their answers.
  const deadline = performance.now() + 20_000;
  // It has done the tests before this one. A Node that does nothing has 40 to 43 MB.
  const ofNode = Number(execFileSync(process.execPath, ['--print', 'process.memoryUsage.rss() / 1024'], { encoding: 'utf8' }));
  for (let before = -Infinity; ;) {
    const { switches, rss } = status();
    expect(rss - ofNode).toBeLessThan(30 * 1024);
    if (switches - before <= 3) break;
    expect(performance.now(), 'it is woken up again and again').toBeLessThan(deadline);
    before = switches;
    await new Promise((resolve) => { setTimeout(resolve, 1_500); });
  }
});
