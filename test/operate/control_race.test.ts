/** Several processes that want one control socket: one has it, each time, also over what a dead one left behind. */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, linkSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlClient } from '../../internal/operate/control/client';
import { controlPath } from '../../internal/operate/control/directory';
import { ControlServer } from '../../internal/operate/control/server';
import { Inbox, cleanEnvironment, endChildrenAfterEachTest, event, fixture, keep } from '../support/children';

const base = mkdtempSync(path.join(tmpdir(), 'control-'));
const runtime = process.env['XDG_RUNTIME_DIR'];
process.env['XDG_RUNTIME_DIR'] = base;
afterAll(() => {
  if (runtime === undefined) delete process.env['XDG_RUNTIME_DIR'];
  else process.env['XDG_RUNTIME_DIR'] = runtime;
  rmSync(base, { recursive: true });
});
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
  const locks = path.join(base, 'cluster-internals/locks');
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
