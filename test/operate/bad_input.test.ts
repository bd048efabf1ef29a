/** What people get wrong with `start`, with the real daemon: each is one clear line, an exit code, and nothing that stays behind. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { freePort } from '../support/free_port';
import { dist, root, run as runProgram, type Ended } from '../support/program';

const cli = dist('lib/cli.js');
const app = path.join(root, 'test/fixtures/operate_app.js');
const home = mkdtempSync(path.join(tmpdir(), 'bad-'));
const env = { XDG_RUNTIME_DIR: home, XDG_STATE_HOME: path.join(home, 'state') };
const run = (...args: string[]): Promise<Ended> => runProgram(cli, { args, env });

afterAll(async () => {
  await run('kill');
  rmSync(home, { recursive: true, force: true });
});

test('a missing file, a directory, a wrong directory: exit 1, and no daemon is started', async () => {
  const [missing, directory, cwd] = await Promise.all([run('start', path.join(home, 'none.js')), run('start', path.join(root, 'lib')), run('start', app, '--cwd', app)]);
  expect(missing).toMatchObject({ code: 1, stderr: `cluster-internals: there is no file ${home}/none.js\n` });
  expect(directory).toMatchObject({ code: 1, stderr: expect.stringContaining(`${root}/lib is a directory: name its script`) });
  expect(cwd).toMatchObject({ code: 1, stderr: expect.stringContaining('is no directory') });
  expect(readdirSync(home)).toEqual([]);
});

test('a script that throws, one that never listens, and one without a right to be read: exit 1 with the reason; the next start is not held up', async () => {
  const unreadable = path.join(home, 'secret.js');
  writeFileSync(unreadable, '');
  chmodSync(unreadable, 0);
  const throwing = await run('start', app, '-n', 'throws', '--env', 'MODE=throws', '--max-restarts', '1');
  expect(throwing).toMatchObject({ code: 1, stdout: '' });
  expect(throwing.stderr).toContain('the configuration is missing');
  const [silent, list, logs] = await Promise.all([
    run('start', app, '-n', 'silent', '--env', 'MODE=silent', '--ready-timeout', '300ms', '--max-restarts', '1'), run('list', '--json'), run('logs', 'throws'),
  ]);
  expect(silent).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/did not|not ready|ready/) });
  expect(JSON.parse(list.stdout)).toMatchObject({ apps: expect.arrayContaining([expect.objectContaining({ name: 'throws', state: 'errored' })]) });
  expect(logs.stdout).toContain('Error: the configuration is missing');
  if (process.getuid?.() !== 0) expect((await run('start', unreadable, '--max-restarts', '1')).code).toBe(1); // Root may read everything.
});

test('the same name twice: exit 1, and the first app serves on; a name is rather an app than a script; all that a stopped app was comes back', async () => {
  const port = await freePort();
  const directory = path.join(home, 'place');
  mkdirSync(path.join(directory, 'api'), { recursive: true });
  writeFileSync(path.join(directory, 'api.js'), 'process.exit(1);');
  const inPlace = (...args: string[]): Promise<Ended> => runProgram(cli, { args, env, cwd: directory });
  expect(await run('start', app, '-n', 'api', '-i', '2', '--env', `PORT=${port}`, '--json')).toMatchObject({ code: 0, stderr: '' });
  const again = await run('start', app, '-n', 'api', '--json');
  expect([again.code, JSON.parse(again.stdout)]).toEqual([1, { error: { code: 'ERR_ALREADY_RUNNING', message: expect.stringContaining('api is already running') } }]);
  expect(await new Promise((resolve, reject) => get({ port, host: '127.0.0.1', agent: false }, (answer) => answer.resume().on('end', () => resolve(answer.statusCode))).on('error', reject))).toBe(200);

  expect((await run('stop', 'api')).code).toBe(0);
  expect(await run('status', 'api')).toMatchObject({ code: 1, stderr: 'cluster-internals: api does not run: it is stopped. cluster-internals start api starts it\n' });
  expect(await inPlace('start', 'api', '-i', '3')).toMatchObject({ code: 2, stderr: expect.stringContaining('it takes no --instances') });
  expect(await inPlace('start', 'api')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^api: online, 2 workers are ready/) });
  expect(await run('status', 'apii')).toMatchObject({ code: 3, stderr: expect.stringContaining("did you mean 'api'?") });
  expect((await run('delete', 'api')).code).toBe(0);
});

test('a runtime directory that is too long for a socket, that is open to others, or that belongs to somebody else', async () => {
  const long = path.join(home, 'x'.repeat(90));
  const open = path.join(home, 'open');
  mkdirSync(long, { mode: 0o700 });
  mkdirSync(path.join(open, 'cluster-internals'), { recursive: true });
  chmodSync(path.join(open, 'cluster-internals'), 0o777);
  const [tooLong, tooOpen] = await Promise.all([long, open].map((directory) => runProgram(cli, { args: ['start', app], env: { ...env, XDG_RUNTIME_DIR: directory as string } })));
  expect(tooLong).toMatchObject({ code: 1, stderr: expect.stringMatching(/may have 107 bytes, and this one has \d+: .*XDG_RUNTIME_DIR/) });
  expect(tooOpen).toMatchObject({ code: 1, stderr: expect.stringMatching(/is open to other users \(mode 777\)\. Run: chmod 700/) });
});

// Only root can start a process as another user.
test.runIf(process.getuid?.() === 0)("two users: each has a daemon and apps of their own, and neither sees or stops the other's", async () => {
  const { stdout } = await run('list', '--json');
  const mine = JSON.parse(stdout) as { daemon: object | null; apps: unknown[] };
  const place = mkdtempSync(path.join(tmpdir(), 'other-'));
  chownSync(place, 65534, 65534);
  /** As `nobody`, who inherits the variables of root, as after `su`: root's directories are not used. */
  const asOther = (variables: NodeJS.ProcessEnv, ...args: string[]): { readonly code: number | null; readonly answer: Record<string, unknown> } => {
    const { status, stdout: said } = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, cli, ...args, '--json'], {
      env: { ...process.env, ...env, HOME: place, TMPDIR: place, ...variables }, cwd: '/', encoding: 'utf8',
    });
    return { code: status, answer: JSON.parse(said) as Record<string, unknown> };
  };
  expect(mine.daemon).not.toBeNull();
  expect(mine.apps.length).toBeGreaterThan(0);
  expect(asOther({ XDG_STATE_HOME: undefined }, 'list')).toEqual({ code: 0, answer: { daemon: null, apps: [], warnings: [] } });
  expect(asOther({ XDG_STATE_HOME: undefined }, 'delete', 'throws')).toMatchObject({ code: 3 });
  expect(asOther({}, 'list')).toMatchObject({ code: 1, answer: { error: { code: expect.stringMatching(/^(EACCES|ERR_STATE_DIRECTORY)$/) } } });
  rmSync(place, { recursive: true, force: true });
});
