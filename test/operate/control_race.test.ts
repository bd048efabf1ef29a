/** Several processes that want one control socket: one has it, each time, also over what a dead one left behind. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ControlClient } from '../../internal/operate/control/client';
import { controlPath } from '../../internal/operate/control/directory';
import { ControlServer } from '../../internal/operate/control/server';
import { dist } from '../support/program';
import { Inbox, cleanEnvironment, endChildrenAfterEachTest, event, fixture, keep } from '../support/children';
import { ownDirectories } from './own_directories';

const base = ownDirectories();
endChildrenAfterEachTest();

interface Racer {
  readonly child: ChildProcess;
  ask(command: object): Promise<unknown>;
}

async function racers(count: number): Promise<Racer[]> {
  return Promise.all(Array.from({ length: count }, async () => {
    const child = fork(fixture('control_server.js'), [], { execArgv: [], env: cleanEnvironment() });
    keep(child);
    const inbox = new Inbox(child);
    expect(await inbox.next()).toBe('up');
    return { child, ask: (command: object) => { child.send(command); return inbox.next(); } };
  }));
}

/** Makes a socket file at which nobody listens, as a process leaves it that was killed. */
async function leaveStale(socket: string): Promise<void> {
  const dead = createServer().listen(`${socket}.dead`);
  await event(dead, 'listening');
  linkSync(`${socket}.dead`, socket);
  dead.close();
  await event(dead, 'close');
}

let all: Racer[];
beforeAll(() => { expect(readdirSync(base)).toEqual([]); });

test('one of three wins, in each of 60 rounds: over nothing, over a stale file, over a stale file and the lock of a dead process', async () => {
  all = await racers(3);
  const socket = controlPath('race');
  const locks = path.join(base, 'state/cluster-internals/locks');
  const wins = new Map<number, number>();
  for (let round = 0; round < 60; round++) {
    if (round % 3 > 0) await leaveStale(socket);
    if (round % 3 > 1) {
      const directory = path.join(locks, readdirSync(locks)[0] ?? '');
      const greatest = Math.max(...readdirSync(directory).map(Number));
      symlinkSync(`4194303 1 dead`, path.join(directory, String(greatest + 1)));
    }
    const answers = await Promise.all(all.map((racer) => racer.ask({ listen: socket })));
    expect([round, [...answers].sort()]).toEqual([round, ['ERR_ALREADY_RUNNING', 'ERR_ALREADY_RUNNING', 'listening']]);
    const winner = all[answers.indexOf('listening')];
    const client = await ControlClient.connect(socket);
    expect(await client.call('who')).toBe(winner?.child.pid);
    client.close();
    wins.set(winner?.child.pid ?? 0, (wins.get(winner?.child.pid ?? 0) ?? 0) + 1);
    expect(await winner?.ask({ close: true })).toBe('closed');
    expect(readdirSync(path.dirname(socket))).toEqual([]);
  }
});

test('the lock: four processes take it 250 times each, and no two have it at once', async () => {
  all = await racers(4);
  const socket = path.join(base, 'lock.sock');
  const answers = await Promise.all(all.map((racer) => racer.ask({ lock: socket, rounds: 250, file: path.join(base, 'held') })));
  for (const answer of answers) expect(answer).toMatchObject({ violations: 0 });
  expect(answers.reduce<number>((sum, answer) => sum + (answer as { refused: number }).refused, 0)).toBeGreaterThan(0); // They did race.
});

test('a control server keeps no process alive, and none leaves its file behind, unless it is killed', async () => {
  all = await racers(2);
  const [first, second] = ['first', 'second'].map(controlPath) as [string, string];
  expect(await Promise.all(all.map((racer, at) => racer.ask({ listen: at === 0 ? first : second })))).toEqual(['listening', 'listening']);
  const client = await ControlClient.connect(first); // Nor does a client.
  const ends = all.map(({ child }) => event(child, 'exit'));
  all[0]?.child.disconnect();
  all[1]?.child.send({ exit: true });
  expect(await Promise.all(ends)).toEqual([[0, null], [0, null]]);
  expect([existsSync(first), existsSync(second)]).toEqual([false, false]);
  client.close();
});

// Only root can become another user.
test.skipIf(process.geteuid?.() !== 0)('two users: another one can neither connect to a socket of ours, wherever it is, nor replace it', async () => {
  all = await racers(1);
  const open = path.join(base, 'open');
  mkdirSync(open);
  for (const directory of [base, open]) chmodSync(directory, directory === open ? 0o777 : 0o755);
  const [named, placed] = [controlPath('mine'), path.join(open, 'mine.sock')];
  expect(await all[0]?.ask({ listen: named })).toBe('listening');
  const server = new ControlServer({ kind: 'app', name: 'mine', pid: process.pid, startedBy: 'program' }, {});
  await server.listen(placed);
  const program = `const net = require('node:net');
    const code = (path) => new Promise((resolve) => net.connect(path).on('connect', () => resolve('connected')).on('error', (error) => resolve(error.code)));
    const { ControlServer } = require(${JSON.stringify(dist('internal/operate/control/server.js'))});
    const listen = new ControlServer({ kind: 'app', name: 'theirs', pid: 1, startedBy: 'run' }, {}).listen(${JSON.stringify(placed)}).then(() => 'listening', (error) => error.code);
    Promise.all([...${JSON.stringify([named, placed])}.map(code), listen]).then((codes) => { process.send(codes); process.disconnect(); });`;
  const stranger = spawn(process.execPath, ['-e', program], { uid: 65534, gid: 65534, cwd: '/', env: { TMPDIR: open }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  keep(stranger);
  expect((await event(stranger, 'message'))[0]).toEqual(['EACCES', 'EACCES', 'EACCES']);
  await event(stranger, 'exit');
  await server.close();
});

test('after kill -9 the socket is replaced, by one process at a time; while its owner lives, also stopped (SIGSTOP), it never is', async () => {
  all = await racers(1);
  const socket = controlPath('killed');
  const hello = { kind: 'app', name: 'killed', pid: process.pid, startedBy: 'program' } as const;
  expect(await all[0]?.ask({ listen: socket })).toBe('listening');
  const child = all[0]?.child;
  child?.kill('SIGSTOP');
  await expect(new ControlServer(hello, {}).listen(socket)).rejects.toMatchObject({ code: 'ERR_ALREADY_RUNNING', message: expect.stringContaining(`killed is already running (pid ${child?.pid})`) });
  await expect(ControlClient.connect(socket, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_CONTROL_TIMEOUT' });
  child?.kill('SIGKILL');
  if (child !== undefined) await event(child, 'exit');
  expect(existsSync(socket)).toBe(true);
  await expect(ControlClient.connect(socket)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  const server = new ControlServer(hello, {});
  await server.listen(socket);
  const client = await ControlClient.connect(socket);
  expect(client.hello.pid).toBe(process.pid);
  client.close();
  await server.close();
  expect(existsSync(socket)).toBe(false);
});
