/** The command line from the outside, against apps that this file plays: outcomes as exit codes, text, JSON, and readers that go away. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ControlServer, type Method } from '../../internal/operate/control/server';
import { controlPath } from '../../internal/operate/control/directory';
import { Program, dist, type Ended } from '../support/program';

const cli = dist('lib/cli.js');
const home = mkdtempSync(path.join(tmpdir(), 'cli-'));
const environment = { XDG_RUNTIME_DIR: home, XDG_STATE_HOME: path.join(home, 'state'), NO_COLOR: undefined, FORCE_COLOR: undefined };
const before = process.env['XDG_RUNTIME_DIR'];
let server: ControlServer | null = null;

beforeAll(() => { process.env['XDG_RUNTIME_DIR'] = home; });
afterAll(() => {
  if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
  else process.env['XDG_RUNTIME_DIR'] = before;
  rmSync(home, { recursive: true, force: true });
});
afterEach(async () => {
  await server?.close();
  server = null;
});

/** An app 'api' with these methods. */
async function app(methods: Readonly<Record<string, Method>>): Promise<void> {
  server = new ControlServer({ kind: 'app', name: 'api', pid: process.pid, startedBy: 'program' }, methods);
  await server.listen(controlPath('api'));
}

const start = (...args: string[]): Program => new Program(cli, { args, env: environment });
const run = (...args: string[]): Promise<Ended> => start(...args).ended;

const { COMMANDS } = require(dist('internal/operate/cli/commands.js')) as typeof import('../../internal/operate/cli/commands');
const { Output } = require(dist('internal/operate/cli/output.js')) as typeof import('../../internal/operate/cli/output');
const output = new Output(true);

/** Runs a command in this process: for errors that it finds before it asks anybody. */
async function attempt([name = '', ...args]: readonly string[]): Promise<unknown> {
  return COMMANDS.find((row) => row.name === name)?.load().prepare(args)(output, { cluster: () => { throw new Error('it would fork'); }, supervise: () => { throw new Error('it would start workers'); } });
}

const fate = (worker: number, became: string): object => ({ worker, pid: 100 + worker, place: 1, generation: 2, became, reason: '', code: null, signal: null, ms: 5 });
const report = { command: 'reload', outcome: 'done', workers: [fate(3, 'ready'), fate(4, 'ready'), fate(1, 'left')] };
const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

describe('arguments', () => {
  test.each([
    [['reload'], 'reload needs NAME'],
    [['reload', 'api', 'web'], "'web' is one argument too many for reload; new arguments of the app come after --"],
    [['scale', 'api', '0'], 'cluster-internals stop api stops it'], [['scale', 'api', '1.5'], 'takes a whole number'], [['status', '..'], "'..' cannot be the name of an app"],
    [['start', 'app.js', '-i', '0'], 'or max for one worker per CPU'], [['start', 'app.js', '--env', '=x'], 'takes KEY=VALUE'], [['start', 'app.js', '--ready', 'healthz'], 'a path that begins with /'],
    [['stop', 'api', '--', 'x'], 'stop takes nothing after --'], [['run', cli, '--health', '0'], 'a whole number from 1 to 65535'], [['run', cli, '--min-ready-workers', '2'], 'needs --health'],
    [['run', cli, '--name', 'a b'], "'a b' cannot be the name of an app"],
  ])('%j: one line, exit 2', async (args, message) => {
    const error = await attempt(args).then(() => null, (thrown: unknown) => thrown);
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining(message) });
    expect((error as Error).message).not.toContain('\n');
  });

  test.each([
    [['relaod', 'api'], "there is no command 'relaod'; did you mean 'reload'? (cluster-internals --help lists all)"], [['monit'], "there is no command 'monit'; did you mean 'status NAME --watch'? (cluster-internals --help lists all)"],
    [['reload', 'api', '--no-wiat'], 'there is no option --no-wiat; did you mean --no-wait? (cluster-internals reload --help says more)'],
  ])('%j: one line on stderr, exit 2', async (args, message) => {
    expect(await run(...args)).toEqual({ code: 2, signal: null, stdout: '', stderr: `cluster-internals: ${message}\n` });
  });

  test('every command has --help, with an example, within 100 columns, and exit code 0', async () => {
    const overview = await run();
    expect(overview.code).toBe(0);
    for (const { name, load } of COMMANDS) {
      expect(overview.stdout).toContain(`  ${name}`);
      const { help } = load();
      expect(help).toMatch(new RegExp(`^cluster-internals ${name} `));
      expect(help).toMatch(/\n\nExample {2}cluster-internals /);
      expect(help.split('\n').filter((line) => line.length > 100 && !/^(Example| {7}) /.test(line)), name).toEqual([]);
    }
    const { stdout, code } = await run('reload', '--help', '--json', 'and', 'more');
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'cluster-internals reload NAME [options] [-- …]']);
  });

  test('--json: an error is one JSON document on stdout', async () => {
    const { code, stdout, stderr } = await run('scale', 'api', 'many', '--json');
    expect([code, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining("not 'many'") } });
  });
});

test('no such app: exit 3, and no daemon is started for it', async () => {
  const outcomes = await Promise.all([run('status', 'nobody'), run('reload', 'nobody', '--json'), run('stop', 'nobody'), run('list')]);
  expect(outcomes.map(({ code }) => code)).toEqual([3, 3, 3, 0]);
  expect(outcomes[0]?.stderr).toBe("cluster-internals: there is no app 'nobody' (cluster-internals list shows all)\n");
  expect(JSON.parse(outcomes[1]?.stdout ?? '')).toMatchObject({ error: { code: 'ERR_NO_SUCH_APP' } });
  expect(outcomes[3]?.stdout).toBe('no apps; cluster-internals start SCRIPT starts one\n');
});

describe('reload', () => {
  test('exit 0 when every worker is replaced; progress on stderr, the outcome on stdout; new script, arguments and variables are sent', async () => {
    const asked: unknown[] = [];
    await app({
      reload: async (params, call) => {
        asked.push(params);
        call.progress({ event: 'reload', state: 'started', generation: 2, exec: '/app.js', reason: '' });
        call.progress({ event: 'transition', place: 1, worker: 3, pid: 103, generation: 2, from: null, state: { is: 'starting', since: 0 } });
        return report;
      },
    });
    const [text, json] = await Promise.all([
      run('reload', 'api', '--exec', cli, '--env', 'A=1', '--env', 'B=2', '--cwd', '/tmp', '--node-args=--trace-gc', '--', '-x'), run('reload', 'api', '--json'),
    ]);
    expect(text).toMatchObject({ code: 0, stdout: expect.stringMatching(/^api: reload done, 2 workers are ready, 1 worker has left \(\d+\.\d s\)\n$/), stderr: 'reload started\nworker 3 (pid 103): starting\n' });
    expect(json).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual(report);
    expect(asked).toContainEqual({ exec: cli, cwd: '/tmp', env: { A: '1', B: '2' }, execArgv: ['--trace-gc'], args: ['-x'] });
    expect(asked).toContainEqual({});
  });

  test('exit 1 with the reason if the new release does not work, or if another command came between', async () => {
    await app({
      reload: async () => { throw failure('ERR_RELOAD_ABORTED', 'the canary exited with 1\nError: \x1b[31mno database'); },
      rollback: async () => ({ ...report, outcome: 'superseded' }),
    });
    const [text, json, superseded] = await Promise.all([run('reload', 'api'), run('reload', 'api', '--json'), run('rollback', 'api')]);
    expect(text).toMatchObject({ code: 1, stdout: '', stderr: 'cluster-internals: the canary exited with 1 | Error: ?[31mno database\n' });
    expect(json).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ error: { code: 'ERR_RELOAD_ABORTED', message: 'the canary exited with 1\nError: \x1b[31mno database' } });
    expect(superseded).toMatchObject({ code: 1, stderr: expect.stringContaining('another command came before the rollback was done') });
  });

  test('Ctrl-C: exit 130, and it says that the reload goes on; --no-wait ends as soon as it has begun; a primary that dies in the middle is exit 1', async () => {
    let goOn: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => { goOn = resolve; });
    let done = 0;
    await app({
      reload: async (_params, call) => {
        call.progress({ event: 'reload', state: 'started', generation: 2, exec: '/app.js', reason: '' });
        await gate;
        done++;
        return report;
      },
    });
    const interrupted = start('reload', 'api');
    await interrupted.prints(/^reload started$/m);
    const { code, stderr } = await interrupted.stop('SIGINT');
    expect([code, stderr.split('\n')[1]]).toEqual([130, 'cluster-internals: interrupted; the reload of api goes on (cluster-internals status api shows it)']);
    expect(await run('reload', 'api', '--no-wait')).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('the reload has begun') });
    expect(done).toBe(0);
    const deserted = start('reload', 'api');
    await deserted.prints(/^reload started$/m);
    await server?.close();
    expect(await deserted.ended).toMatchObject({ code: 1, stderr: 'reload started\ncluster-internals: the primary of api has ended, or has closed the connection, before the reload was done; cluster-internals status api shows what runs\n' });
    goOn();
    await gate;
    expect(done).toBe(3);
  });
});

test('scale: a number, +1 and -1; exit 1 if a place is given up', async () => {
  const asked: unknown[] = [];
  await app({ scale: async (params) => {
    asked.push(params);
    if (params['to'] === 9) throw failure('ERR_GIVEN_UP', 'place 3 is given up');
    return { command: 'scale', outcome: 'done', workers: [] };
  } });
  const outcomes = [await run('scale', 'api', '3'), await run('scale', 'api', '+1'), await run('scale', 'api', '-2'), await run('scale', 'api', '9')];
  expect(asked).toEqual([{ to: 3 }, { by: 1 }, { by: -2 }, { to: 9 }]);
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 1]);
  expect([outcomes[0]?.stdout, outcomes[3]?.stderr]).toEqual(['api: scaled, nothing had to be changed\n', 'cluster-internals: place 3 is given up\n']);
});

describe('status', () => {
  const worker = { place: 1, worker: 1, pid: 4711, generation: 1, role: 'current', state: { is: 'ready', since: 0 }, uptimeMs: 65_000, restarts: 2, connections: 5, requests: 1234, rss: 50 * 1024 ** 2, cpu: 0.25, eventLoopDelayMs: 1.26 };
  const status = {
    name: 'api', pid: 4242, uptimeMs: 3_700_000, desired: 2, ready: 1, reload: 'idle', generation: 3, exec: '/srv/app.js', cwd: '/srv', startedBy: 'daemon',
    workers: [worker, { place: 2, worker: null, pid: null, generation: null, role: 'current', state: { is: 'given up', since: 0 }, uptimeMs: null, restarts: 7 }],
  };

  test('a table for eyes, without colour where there is no terminal; --json is what the app answered', async () => {
    await app({ status: async () => status });
    const [text, json] = await Promise.all([run('status', 'api'), run('status', 'api', '--json')]);
    expect([text.code, text.stderr, text.stdout.split('\n')]).toEqual([0, '', [
      'api  1 of 2 ready, generation 3, up 1h 1m, primary 4242, /srv/app.js', '',
      'place   pid  state     uptime  restarts  connections  requests  loop delay     rss  cpu',
      '    1  4711  ready         1m         2            5      1234      1.3 ms  50.0 M  25%',
      '    2     -  given up       -         7            -         -           -       -    -', '',
    ]]);
    expect(JSON.parse(json.stdout)).toEqual(status);
  });

  test('connections that have moved are counted in the first line', async () => {
    await app({ status: async () => ({ ...status, moved: 12, workers: [] }) });
    const { stdout } = await run('status', 'api');
    expect(stdout).toBe('api  1 of 2 ready, generation 3, up 1h 1m, primary 4242, connections moved: 12, /srv/app.js\n');
  });

  test('an answer of another version, or of a liar, is no crash', async () => {
    await app({ status: async () => ({ name: 'a\x1b[2J', workers: [null, { state: { is: 7, phase: {} } }, 'x'], reload: [], exec: 5 }) });
    const { code, stdout } = await run('status', 'api');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a\?\[2J {2}- of - ready, generation -\n/);
  });

  test('--watch draws again and again, goes on without the app, and ends when its reader has gone', async () => {
    let asked = 0;
    await app({ status: async () => ({ ...status, generation: ++asked }) });
    const watching = start('status', 'api', '--watch', '--every', '100ms', '--json');
    await watching.prints(/"generation":2[,}]/);
    await server?.close();
    await watching.prints(/"code":"ERR_NO_SUCH_APP"/);
    await app({ status: async () => status });
    watching.child.stdout?.destroy();
    expect((await watching.ended).code).toBe(0);
  });
});

describe('logs', () => {
  test('-f prints what comes until the reader has gone (| head), and cancels the call', async () => {
    let cancelled: () => void = () => undefined;
    const wasCancelled = new Promise<void>((resolve) => { cancelled = resolve; });
    let asked: unknown;
    await app({
      logs: async (params, call) => {
        asked = params;
        const timer = setInterval(() => call.progress({ line: `line \x1b[32m${'x'.repeat(1000)}` }), 1);
        await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()));
        clearInterval(timer);
        cancelled();
        return {};
      },
    });
    const reader = start('logs', 'api', '-f', '-n', '5');
    await reader.prints(/^line \x1b\[32mx/m);
    reader.child.stdout?.destroy();
    const { code, stderr } = await reader.ended;
    await wasCancelled;
    expect([code, stderr, asked]).toEqual([0, '', { lines: 5, follow: true }]);
  });

  test('--json: each line is one document', async () => {
    await app({ logs: async (_params, call) => { for (const line of ['a', 'b "c"']) call.progress({ line }); return {}; } });
    const { stdout, code } = await run('logs', 'api', '--json');
    expect([code, stdout]).toEqual([0, '{"line":"a"}\n{"line":"b \\"c\\""}\n']);
  });
});

test('a full disk behind stdout is exit 1 and one line', async () => {
  const child = spawn('sh', ['-c', '"$@" > /dev/full', 'sh', process.execPath, cli, '--help'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect([code, stderr]).toEqual([1, 'cluster-internals: cannot write to stdout: ENOSPC: no space left on device, write\n']);
});
