/**
 * The files of control sockets are deleted while their processes run, alone or with the directories above them, as the
 * system does with /run/user/UID at the last logout. They are there again, and nothing is started twice.
 */
import fs, { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ControlClient } from '../../internal/operate/control/client';
import { controlDirectory, controlPath } from '../../internal/operate/control/directory';
import { ControlServer } from '../../internal/operate/control/server';
import { spawnDaemon } from '../../internal/operate/daemon/spawn_daemon';
import { event } from '../support/children';
import { openFds, untilNextLook } from '../support/live';
import { inWorld } from '../support/operate_world';
import { expectedWarnings } from '../support/warnings';

/** One turn of the event loop: between two looks at what this process does itself. */
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** Looks until a fact holds, with a deadline: inotify tells the server, and nobody tells the test. */
async function until(what: string, fact: () => boolean, pause: () => Promise<void> = turn): Promise<void> {
  for (const end = performance.now() + 20_000; !fact();) {
    if (performance.now() > end) throw new Error(`this did not come: ${what}`);
    await pause();
  }
}

/** Deletes a file, or a directory with all that is in it. Its processes put something new there, maybe meanwhile: then it is not empty, and is deleted again. */
function lose(lost: string): void {
  for (const end = performance.now() + 20_000; ;) {
    try {
      return rmSync(lost, { recursive: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || performance.now() > end) throw error;
    }
  }
}

test('a daemon and an app: their directory is deleted, then the socket of the app, then all above; each time the same processes serve, one each', async () => {
  await inWorld(async (world) => {
    const app = await world.call('start', { spec: world.spec('web') });
    const [daemon] = world.pids('daemon');
    const directory = controlDirectory();
    const socket = controlPath('web');
    const runtime = path.dirname(directory);
    for (const lost of [directory, socket, path.join(directory, 'daemon.sock'), runtime]) {
      lose(lost);
      if (lost === runtime) mkdirSync(runtime, { mode: 0o700, recursive: true }); // As at the next login; the processes may be quicker.
      expect(await world.listed('web'), lost).toMatchObject({ pid: app.pid, state: 'online', restarts: 0 });
      // A command that found no socket has started a process, which sees the lock of the daemon and ends.
      await until('no other daemon', () => world.pids('daemon').length === 1, untilNextLook);
      expect([world.pids('daemon'), world.pids('primary')], lost).toEqual([[daemon], [app.pid]]);
      await until('the socket of the app', () => existsSync(socket), untilNextLook);
      expect(await world.app('web', 'status'), lost).toMatchObject({ ready: 1 });
      expect([directory, path.dirname(socket), socket].map((name) => lstatSync(name).mode & 0o777)).toEqual([0o700, 0o700, 0o600]);
    }
    // The next daemon finds the app at its new socket.
    await world.kill(Number(daemon));
    expect(await world.listed('web')).toMatchObject({ pid: app.pid, state: 'online', restarts: 0 });
    expect(world.pids('primary')).toEqual([app.pid]);
    // Sockets in another place, as for a command without a login: no second daemon, and the error says who runs.
    const elsewhere = path.join(world.directory, 'elsewhere');
    mkdirSync(elsewhere, { mode: 0o700 });
    const second = world.pids('daemon')[0];
    process.env['XDG_RUNTIME_DIR'] = elsewhere;
    await expect(spawnDaemon()).rejects.toMatchObject({ code: 'ERR_DAEMON_NOT_STARTED', message: expect.stringMatching(new RegExp(`daemon is already running \\(pid ${second}\\): it holds .*, and does not answer at ${elsewhere}`)) });
    expect([world.pids('daemon'), world.pids('primary')]).toEqual([[second], [app.pid]]);
  });
});

describe('one server', () => {
  const base = mkdtempSync(path.join(tmpdir(), 'lost-'));
  const before = { XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'], XDG_STATE_HOME: process.env['XDG_STATE_HOME'] };
  const [upper, lower] = [path.join(base, 'upper'), path.join(base, 'upper/lower')];
  const socket = path.join(lower, 'x.sock');
  let server: ControlServer;
  let fds = 0;
  const made = (): ControlServer => new ControlServer({ kind: 'app', name: 'x', pid: process.pid, startedBy: 'program' }, { echo: async (params) => params });
  const serves = async (): Promise<void> => {
    await until('the socket', () => existsSync(socket));
    const client = await ControlClient.connect(socket);
    expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
    client.close();
  };

  beforeEach(async () => {
    Object.assign(process.env, { XDG_RUNTIME_DIR: base, XDG_STATE_HOME: path.join(base, 'state') });
    mkdirSync(lower, { recursive: true, mode: 0o700 });
    fds = openFds().length;
    server = made();
    await server.listen(socket);
  });
  afterEach(async () => {
    await server.close();
    expect(existsSync(socket)).toBe(false);
    await until(`${fds} fds`, () => openFds().length <= fds);
    rmSync(upper, { recursive: true, force: true });
  });
  afterAll(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(base, { recursive: true });
  });

  test('the file, its directory, the one above: a connection from before stays, a new one is served, the lock is held; again and again', async () => {
    const old = await ControlClient.connect(socket);
    for (const lost of [socket, lower, upper, socket]) {
      rmSync(lost, { recursive: true });
      await serves();
      expect(await old.call('echo', { old: true })).toEqual({ old: true });
      await expect(made().listen(socket)).rejects.toMatchObject({ code: 'ERR_ALREADY_RUNNING' });
    }
    old.close();
    expect(readdirSync(lower)).toEqual(['x.sock']);
  });

  test('a directory that cannot be made: the server waits until it can', async () => {
    rmSync(upper, { recursive: true });
    writeFileSync(upper, 'in the way');
    await new Promise((resolve) => { setTimeout(resolve, 150); }); // Longer than it takes to look.
    expect(lstatSync(upper).isFile()).toBe(true);
    rmSync(upper);
    await serves();
  });

  test('a directory that is moved into its place later', async () => {
    const other = path.join(base, 'other');
    mkdirSync(path.join(other, 'lower'), { recursive: true, mode: 0o700 });
    rmSync(upper, { recursive: true });
    writeFileSync(upper, '');
    rmSync(upper);
    if (!existsSync(upper)) renameSync(other, upper);
    await serves();
    rmSync(other, { recursive: true, force: true });
  });

  test('what somebody else has put there is left alone, a file and the socket of a live process; when it is gone, the socket is back', async () => {
    rmSync(socket);
    writeFileSync(socket, 'precious');
    await new Promise((resolve) => { setTimeout(resolve, 150); });
    expect(fs.readFileSync(socket, 'utf8')).toBe('precious');
    rmSync(socket);
    await serves();
    rmSync(socket);
    const stranger = createServer((connection) => connection.on('error', () => undefined).end()).listen(socket);
    await event(stranger, 'listening');
    const { ino } = lstatSync(socket);
    await new Promise((resolve) => { setTimeout(resolve, 150); });
    expect(lstatSync(socket).ino).toBe(ino);
    stranger.close(); // Removes its file.
    await event(stranger, 'close');
    await serves();
  });

  test('close right after the loss, and in the middle of the work: nothing is left, and nothing comes back', async () => {
    for (const wait of [() => Promise.resolve(), () => until('its work', () => existsSync(`${socket}.new`) || existsSync(socket))]) {
      rmSync(lower, { recursive: true });
      await wait();
      await server.close();
      await new Promise((resolve) => { setTimeout(resolve, 100); });
      expect(existsSync(lower) ? readdirSync(lower) : []).toEqual([]);
      mkdirSync(lower, { recursive: true, mode: 0o700 });
      server = made();
      await server.listen(socket);
    }
  });

  test('other files beside it, also many, are no events: nothing is looked at', async () => {
    const watch = vi.spyOn(fs, 'watch');
    for (let count = 0; count < 100; count++) writeFileSync(path.join(lower, String(count)), '');
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(watch).not.toHaveBeenCalled(); // Each look watches anew.
    watch.mockRestore();
    chmodSync(socket, 0o600); // An event without a loss.
    await serves();
  });
});

test('no watch can be had (ENOSPC): the server works as before, with one warning', async () => {
  const base = mkdtempSync(path.join(tmpdir(), 'lost-'));
  const warnings = expectedWarnings('ControlWarning');
  const before = process.env['XDG_STATE_HOME'];
  process.env['XDG_STATE_HOME'] = base;
  const watch = vi.spyOn(fs, 'watch').mockImplementation(() => { throw Object.assign(new Error('no space'), { code: 'ENOSPC' }); });
  const socket = path.join(base, 'x.sock');
  const server = new ControlServer({ kind: 'app', name: 'x', pid: process.pid, startedBy: 'program' }, { echo: async (params) => params });
  try {
    await server.listen(socket);
    const client = await ControlClient.connect(socket);
    expect(await client.call('echo', { a: 1 })).toEqual({ a: 1 });
    client.close();
  } finally {
    await server.close();
    watch.mockRestore();
    if (before === undefined) delete process.env['XDG_STATE_HOME'];
    else process.env['XDG_STATE_HOME'] = before;
    rmSync(base, { recursive: true });
  }
  await turn();
  expect(warnings).toEqual([`The file of the control socket ${socket} cannot be watched (ENOSPC): if it is deleted, nobody can connect any more`]);
});
