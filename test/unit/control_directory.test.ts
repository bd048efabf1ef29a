/** Where control sockets are, and that each has one owner: directories of others, names, long paths, locks of the dead. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { controlDirectory, controlPath, daemonPath } from '../../internal/operate/control/directory';
import { identityOf, takeLock } from '../../internal/operate/control/lock';
import { endChildrenAfterEachTest, event, keep, thrownBy } from '../support/children';
import { untilNextLook } from '../support/live';

endChildrenAfterEachTest();
const base = mkdtempSync(path.join(tmpdir(), 'control-'));
const before = { XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'], TMPDIR: process.env['TMPDIR'], XDG_STATE_HOME: process.env['XDG_STATE_HOME'] };
const uid = process.geteuid?.() ?? -1;
let directory = '';
let count = 0;

beforeEach(() => {
  directory = path.join(base, String(count++));
  mkdirSync(directory);
  process.env['XDG_RUNTIME_DIR'] = directory;
  process.env['XDG_STATE_HOME'] = path.join(directory, 'state');
});
afterEach(() => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});
afterAll(() => rmSync(base, { recursive: true }));

const own = (): string => path.join(directory, 'cluster-internals');
const kept = (): string => path.join(directory, 'state/cluster-internals');
const modeOf = (name: string): number => lstatSync(name).mode & 0o777;

describe('the directory', () => {
  test('it is made with mode 0700, whatever the umask, and found again', () => {
    const umask = process.umask(0);
    try {
      expect(controlDirectory()).toBe(own());
      expect(controlDirectory()).toBe(own());
      expect(modeOf(own())).toBe(0o700);
      expect(controlPath('web')).toBe(path.join(own(), 'apps/web.sock'));
      expect(modeOf(path.join(own(), 'apps'))).toBe(0o700);
      expect(daemonPath()).toBe(path.join(own(), 'daemon.sock'));
    } finally {
      process.umask(umask);
    }
  });

  test.each([
    ['a symlink', () => { mkdirSync(path.join(directory, 'elsewhere'), { mode: 0o700 }); symlinkSync('elsewhere', own()); }, /is a symlink/],
    ['a file', () => writeFileSync(own(), ''), /is no directory/],
    ['open to others', () => { mkdirSync(own()); chmodSync(own(), 0o755); }, /is open to other users \(mode 755\)\. Run: chmod 700 /],
    ['writable for the group', () => { mkdirSync(own()); chmodSync(own(), 0o720); }, /mode 720/],
  ])('it is refused if it is %s', (_what, make, reason) => {
    make();
    process.env['XDG_STATE_HOME'] = '/dev/null/state'; // The locks are there, too, then.
    for (const call of [controlDirectory, () => controlPath('web'), daemonPath, () => takeLock(path.join(directory, 'x.sock'))]) {
      const error = thrownBy(call);
      expect(error.code).toBe('ERR_CONTROL_DIRECTORY');
      expect(error.message).toMatch(reason);
      expect(error.message).toContain(own());
    }
  });

  // Only root can give a directory to another user, here and in the next test.
  test.skipIf(uid !== 0)('it is refused if it belongs to another user', () => {
    mkdirSync(own(), { mode: 0o700 });
    chownSync(own(), 65534, 65534);
    expect(thrownBy(controlDirectory)).toMatchObject({ code: 'ERR_CONTROL_DIRECTORY', message: expect.stringMatching(/belongs to another user \(65534\)/) });
  });

  test.skipIf(uid !== 0)('two users: XDG_RUNTIME_DIR of another user, left behind by su, is not used', () => {
    chownSync(directory, 65534, 65534);
    process.env['TMPDIR'] = base;
    expect(controlDirectory()).not.toContain(directory);
    expect(readdirSync(directory)).toEqual([]);
    rmSync(path.join(base, `cluster-internals-${uid}`), { recursive: true, force: true });
  });

  test.each([['nothing', undefined], ['empty', ''], ['a relative path', 'run'], ['no directory', '/dev/null'], ['not there', '/nowhere/at/all']])('XDG_RUNTIME_DIR is %s: the next place is used', (_what, value) => {
    if (value === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = value;
    process.env['TMPDIR'] = directory;
    const ofSystem = `/run/user/${uid}`;
    const hasOne = lstatSync(ofSystem, { throwIfNoEntry: false })?.uid === uid;
    expect(controlDirectory()).toBe(hasOne ? `${ofSystem}/cluster-internals` : path.join(directory, `cluster-internals-${uid}`));
  });
});

describe('names and paths', () => {
  test('a name is one of an app; a path is used as it is', () => {
    for (const name of ['', '.', '..', '.web', '-web', 'we b', 'wéb', 'x'.repeat(65), 'a\0b', 'a\n']) expect([name, thrownBy(() => controlPath(name)).code]).toEqual([name, 'ERR_INVALID_ARG_VALUE']);
    for (const name of ['web', 'Web-1.2_x', '0', 'x'.repeat(10)]) expect(controlPath(name)).toBe(path.join(own(), 'apps', `${name}.sock`));
    for (const name of [1, null, undefined, {}, ['web']]) expect(thrownBy(() => controlPath(name as string)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(controlPath('./web.sock')).toBe(path.resolve('web.sock'));
    expect(controlPath('/tmp/a/../b.sock')).toBe('/tmp/b.sock');
    expect(thrownBy(() => controlPath('/tmp/a\0.sock')).code).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('a path that is too long for a socket: the error names it, its length, and what to do', () => {
    const longest = `/tmp/${'x'.repeat(102)}`;
    expect(controlPath(longest)).toBe(longest);
    expect(thrownBy(() => controlPath(`${longest}y`))).toMatchObject({ code: 'ERR_CONTROL_PATH', message: expect.stringMatching(/may have 107 bytes, and this one has 108: \/tmp\/x+y\. Use a shorter name/) });
    expect(thrownBy(() => controlPath(`/tmp/${'é'.repeat(52)}`)).message).toMatch(/has 109/); // Bytes, not characters.
    process.env['XDG_RUNTIME_DIR'] = path.join(directory, 'd'.repeat(60));
    mkdirSync(process.env['XDG_RUNTIME_DIR']);
    expect(thrownBy(() => controlPath('x'.repeat(64))).code).toBe('ERR_CONTROL_PATH');
  });
});

describe('the lock', () => {
  const socket = (): string => path.join(directory, 'x.sock');
  const locks = (): string[] => readdirSync(path.join(kept(), 'locks'), { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('/')).map((name) => path.basename(name));
  const lockDirectory = (): string => path.join(kept(), 'locks', readdirSync(path.join(kept(), 'locks'))[0] ?? '');

  test('one holder at a time, also in one process; after a release it is free; a second release does nothing', () => {
    const first = takeLock(socket());
    expect(thrownBy(() => takeLock(socket()))).toMatchObject({ code: 'ERR_ALREADY_RUNNING', message: expect.stringContaining(`x is already running (pid ${process.pid})`) });
    first.release();
    const second = takeLock(socket());
    first.release();
    expect(locks(), 'it writes nothing either').toHaveLength(1);
    expect(thrownBy(() => takeLock(socket())).code).toBe('ERR_ALREADY_RUNNING');
    second.release();
    takeLock(socket()).release();
    expect(locks()).toHaveLength(1); // Old numbers are removed.
  });

  test('two paths of one file are one lock; another file has another one', () => {
    symlinkSync('.', path.join(directory, 'link'));
    const lock = takeLock(socket());
    expect(thrownBy(() => takeLock(path.join(directory, 'link/x.sock'))).code).toBe('ERR_ALREADY_RUNNING');
    takeLock(path.join(directory, 'y.sock')).release();
    lock.release();
  });

  test.each(['7 1 boot', '4194304 1 1', 'free', 'nonsense', ' ', '1', '-1 2 3', `${process.pid} 1 wrong start time`])('a lock that says %j has no live owner', (text) => {
    takeLock(socket()).release();
    symlinkSync(text, path.join(lockDirectory(), '900'));
    const lock = takeLock(socket());
    expect(locks()).toEqual(['901']);
    lock.release();
  });

  test('names that are no numbers are left alone', () => {
    takeLock(socket()).release();
    for (const name of ['x', '1e9', '-5', '0', '01', '9'.repeat(30)]) writeFileSync(path.join(lockDirectory(), name), '');
    const lock = takeLock(socket());
    expect(locks().filter((name) => /^[1-9]\d{0,14}$/.test(name))).toEqual(['3']);
    lock.release();
  });

  test('a process that others have left behind finds a greater number, and gives its own up', () => {
    const lock = takeLock(socket());
    // As a slow process would, which had read the directory before the holder came.
    symlinkSync('free', path.join(lockDirectory(), '900'));
    const usurper = takeLock(socket());
    lock.release(); // Does not free the lock of its successor.
    expect(thrownBy(() => takeLock(socket())).code).toBe('ERR_ALREADY_RUNNING');
    usurper.release();
  });

  test('the locks outlive the directory of sockets, and belong to this user alone', () => {
    const lock = takeLock(socket());
    rmSync(own(), { recursive: true, force: true });
    expect(thrownBy(() => takeLock(socket()))).toMatchObject({ code: 'ERR_ALREADY_RUNNING', message: expect.stringContaining(`(pid ${process.pid})`) });
    expect([modeOf(kept()), modeOf(path.join(kept(), 'locks'))]).toEqual([0o700, 0o700]);
    lock.release();
  });

  test.each([['cannot be made', '/dev/null/state'], ['cannot be written', '/sys']])('a state directory that %s: the locks are beside the sockets', (_what, state) => {
    process.env['XDG_STATE_HOME'] = state;
    const lock = takeLock(socket());
    expect(thrownBy(() => takeLock(socket())).code).toBe('ERR_ALREADY_RUNNING');
    expect(readdirSync(path.join(own(), 'locks'))).toHaveLength(1);
    lock.release();
  });

  test('the directory of the socket must exist', () => {
    expect(thrownBy(() => takeLock(path.join(directory, 'none/x.sock')))).toMatchObject({ code: 'ENOENT' });
  });

  test('a zombie does not hold a lock: in a container nobody may wait for it', async () => {
    // The shell becomes a `cat`, which does not know that it has a child. That child ends only then: the shell would wait for it.
    const child = spawn('/bin/sh', ['-c', 'cat <&3 & echo $!; exec cat'], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] }) as ChildProcessWithoutNullStreams;
    keep(child);
    const [text] = await event<[Buffer]>(child.stdout, 'data');
    const pid = Number(String(text));
    const echo = event(child.stdout, 'data');
    child.stdin.write('it is a cat');
    await echo;
    child.stdio[3]?.destroy();
    const end = performance.now() + 20_000;
    const stateOf = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0] ?? '';
    while (stateOf() !== 'Z' && performance.now() < end) await untilNextLook();
    expect(stateOf()).toBe('Z');
    expect(identityOf(pid)).toBeNull();
    expect(identityOf(child.pid ?? 0)).toMatch(new RegExp(`^${child.pid} \\d+ [0-9a-f-]{36}$`));
    expect(identityOf(process.pid)).toBe(identityOf(process.pid));
  });
});
