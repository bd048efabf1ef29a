/** The texts of the systemd units: what they say, and that systemd accepts them where that is installed. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { appUnits, hasNotify, type AppUnitOptions } from '../../internal/operate/cli/app_units';
import { Output } from '../../internal/operate/cli/output';
import { unit as unitCommand } from '../../internal/operate/cli/unit';
import { argument, unitText } from '../../internal/operate/daemon/unit';
import { dist, root } from '../support/program';

const options = { user: 'root', node: process.execPath, stopSeconds: 90, env: { PATH: '/usr/bin:/bin', HOME: '/home/a b%c"d', XDG_RUNTIME_DIR: '/run/user/0', COLOUR: 'red' } };

test('the daemon may end alone, the apps are stopped by the daemon, and the directories are those of `save`', () => {
  const text = unitText({ ...options, isUser: false });
  for (const line of ['KillMode=process', 'User=root', 'Environment=XDG_RUNTIME_DIR=/run/user/0', 'Environment="HOME=/home/a b%%c\\"d"', 'After=user-runtime-dir@0.service', 'TimeoutStopSec=90', 'WantedBy=multi-user.target']) expect(text.split('\n')).toContain(line);
  expect(text).toMatch(/^ExecStart=\S+ \S+\/daemon\/main\.js --resurrect$/m);
  expect(text).not.toContain('COLOUR');
  expect(unitText({ ...options, isUser: true })).not.toMatch(/^User=|^After=network/m);
});

test('a dollar sign is doubled in an argument of an Exec line, and not in the program, where systemd replaces no variable', () => {
  expect(unitText({ ...options, isUser: true, node: '/opt/$x/node' })).toMatch(/^ExecStart="\/opt\/\$x\/node" /m);
  expect(argument('/opt/$x/main.js')).toBe('"/opt/$$x/main.js"');
});

/** `systemd-analyze verify` reads the units. It does not need a systemd that runs; without the program these tests are skipped. */
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

const directories: string[] = [];
afterAll(() => { for (const each of directories) rmSync(each, { recursive: true }); });
function directory(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'operate-unit-'));
  directories.push(made);
  return made;
}

/** What systemd says against these files. */
function complaints(files: ReadonlyMap<string, string>): string[] {
  const at = directory();
  for (const [name, text] of files) writeFileSync(path.join(at, name), text);
  const { stderr } = spawnSync('systemd-analyze', ['verify', ...[...files.keys()].map((name) => path.join(at, name))], { encoding: 'utf8' });
  return stderr.split('\n').filter((line) => [...files.keys()].some((name) => line.includes(name)));
}

test.skipIf(!hasSystemd)('systemd accepts it', () => {
  expect(complaints(new Map([['cluster-internals.service', unitText({ ...options, isUser: false })]]))).toEqual([]);
  expect(complaints(new Map([['wrong.service', '[Service]\nExecStart=nowhere\nTyp=exec\n']])).length).toBeGreaterThan(0);
});

// ── one app ────────────────────────────────────────────────────────────────────────────────────────

const app: AppUnitOptions = { ...options, isUser: false, name: 'api', cwd: '/', args: ['a b.js', '-i', 'max', '--', '$HOME', '100%'], sockets: ['8000', '127.0.0.1:9000', '/run/api.sock'], watchdogSeconds: 30, stopSeconds: 35, hasNotify: true };

test('an app: ready and watched by notify, stopped by the primary, reloaded by the command, with its sockets', () => {
  const files = appUnits(app);
  expect([...files.keys()]).toEqual(['api.service', 'api.socket']);
  const service = files.get('api.service')?.split('\n') ?? [];
  for (const line of ['Type=notify', 'NotifyAccess=all', 'WatchdogSec=30', 'KillMode=mixed', 'Requires=api.socket', 'After=api.socket', 'TimeoutStopSec=35', 'WorkingDirectory=/']) expect(service).toContain(line);
  expect(service.find((line) => line.startsWith('ExecStart='))).toMatch(/cli\.js run "a b\.js" -i max -- "\$\$HOME" "100%%"$/);
  expect(service.find((line) => line.startsWith('ExecReload='))).toMatch(/cli\.js reload api$/);
  expect(files.get('api.socket')?.match(/^ListenStream=.*$/gm)).toEqual(['ListenStream=8000', 'ListenStream=127.0.0.1:9000', 'ListenStream=/run/api.sock']);
});

test('an app without systemd-notify and without sockets', () => {
  const files = appUnits({ ...app, isUser: true, hasNotify: false, sockets: [] });
  expect([...files.keys()]).toEqual(['api.service']);
  expect(files.get('api.service')).toMatch(/^Type=exec$/m);
  expect(files.get('api.service')).not.toMatch(/^(?:NotifyAccess|WatchdogSec|Requires|User)=/m);
});

test.skipIf(!hasSystemd)('systemd accepts the units of an app', () => {
  expect(complaints(appUnits(app))).toEqual([]);
  expect(complaints(appUnits({ ...app, isUser: true, hasNotify: false, sockets: [] }))).toEqual([]);
});

test('is there a systemd-notify?', () => {
  const at = directory();
  expect(hasNotify(`/nowhere:${at}`)).toBe(false);
  writeFileSync(path.join(at, 'systemd-notify'), '');
  expect(hasNotify(at)).toBe(false);
  chmodSync(path.join(at, 'systemd-notify'), 0o755);
  expect(hasNotify(`/nowhere:${at}`)).toBe(true);
});

test('the command writes the units into a directory', () => {
  const at = path.join(directory(), 'units');
  const script = path.join(root, 'test/fixtures/operate_app.js');
  const { status, stdout } = spawnSync(process.execPath, [dist('lib/cli.js'), 'unit', '--socket', '8000', '--to', at, '--', script, '--name', 'api', '--drain-delay', '5s'], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, `${at}/api.service\n${at}/api.socket\n`]);
  expect(readdirSync(at).sort()).toEqual(['api.service', 'api.socket']);
  expect(readFileSync(path.join(at, 'api.service'), 'utf8')).toMatch(/^TimeoutStopSec=35$/m); // 20 s to leave, 5 s of delay, 10 s to spare
});

test.each([
  [['--socket', '8000'], 2, /are for one app/], [['--socket', 'web%i', '--', 'x'], 2, /PORT, HOST:PORT or an absolute path/], [['--', __filename, '--instances', '0'], 2, /--instances/],
  [['--', '/no/script.js'], 1, /no file/], [['--', __filename, '--name', 'a b'], 2, /name of an app/], [['--to', '/proc/none/units', '--', __filename, '--name', 'x'], 1, /cannot be written/],
])('unit %j is an error', async (args, exitCode, message) => {
  const call = async (): Promise<unknown> => unitCommand.prepare(args)(new Output(false), { cluster: () => expect.unreachable(), supervise: () => expect.unreachable() });
  await expect(call()).rejects.toMatchObject({ exitCode, message: expect.stringMatching(message) });
});

test.skipIf(!hasSystemd)('systemd accepts the units of the guide', () => {
  const blocks = [...readFileSync(path.join(root, 'lib/README.md'), 'utf8').matchAll(/^```ini\n# \/etc\/systemd\/system\/(\S+)\n([^]*?)^```$/gm)];
  expect(blocks.map(([, name]) => name)).toEqual(['api.service', 'api.socket']);
  const here = (text: string): string => text.replace('/usr/bin/node', process.execPath);
  expect(complaints(new Map(blocks.map(([, name = '', text = '']) => [name, here(text)])))).toEqual([]);
});
