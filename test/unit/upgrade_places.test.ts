/** What of a primary takes part in its upgrade: a part that throws does not keep the others from it, and a place is had in the end. */
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AppPlace } from '../../internal/operate/app/app_place';
import { openControl } from '../../internal/operate/control/app_control';
import { ControlClient } from '../../internal/operate/control/client';
import { locksIn, takeLock } from '../../internal/operate/control/lock';
import type { Hello } from '../../internal/operate/control/protocol';
import { ControlServer } from '../../internal/operate/control/server';
import { showToObservers } from '../../internal/supervisor/observers';
import { keepPidFile } from '../../internal/supervisor/pid_file';
import type { Supervisor } from '../../internal/supervisor/supervisor';
import { callEach, leavePlaces, registerPlace, takePlacesAgain } from '../../internal/upgrade/registry';
import { ownDirectories } from '../operate/own_directories';
import { connected } from '../support/control';
import { expectedWarnings } from '../support/warnings';

const directory = ownDirectories();
const turn = (): Promise<unknown> => new Promise((resolve) => { setImmediate(resolve); });

test('a place that throws: the others are left and taken again, and a warning says what it has thrown', async () => {
  const warnings = expectedWarnings('UpgradeWarning');
  const calls: string[] = [];
  const place = (name: string, throws: boolean) => registerPlace(Object.fromEntries((['leave', 'takeAgain'] as const).map((step) => [step, () => {
    calls.push(`${name} ${step}`);
    if (throws) throw new Error(`${name} cannot ${step}`);
  }])) as unknown as Parameters<typeof registerPlace>[0]);
  const removals = [place('one', true), place('other', false)];
  leavePlaces(process.pid);
  takePlacesAgain();
  for (const remove of removals) remove();
  expect(calls).toEqual(['one leave', 'other leave', 'one takeAgain', 'other takeAgain']);
  await turn();
  expect(warnings.map((text) => /: (.*)$/.exec(text)?.[1])).toEqual(['one cannot leave', 'one cannot takeAgain']);
});

test('a control socket that cannot be taken back at once is tried again, with one warning', { timeout: 20_000 }, async () => {
  const warnings = expectedWarnings('ControlWarning');
  const at = path.join(directory, 'again.sock');
  const supervisor = Object.assign(new EventEmitter(), { status: () => ({ desired: 1 }) }) as unknown as Supervisor;
  openControl(supervisor, at);
  const client = await connected(at);
  client.close();
  const heir = spawn('sleep', ['60']);
  onTestFinished(() => void heir.kill('SIGKILL'));
  await once(heir, 'spawn');
  leavePlaces(heir.pid as number);
  takePlacesAgain(); // But the heir lives.
  await until(() => warnings.length > 0);
  heir.kill('SIGKILL');
  await once(heir, 'exit');
  (await connected(at)).close();
  expect(warnings).toHaveLength(1);
  showToObservers(supervisor, ['stopped']);
  await until(() => !existsSync(at));
});

test('a callback that throws does not keep the others from being called', async () => {
  const warnings = expectedWarnings('UpgradeWarning');
  let called = 0;
  callEach([() => { throw new Error('no'); }, () => { called++; }]);
  await turn();
  expect([called, warnings.length]).toEqual([1, 1]);
});

test('an app whose socket cannot be made gets its place once it can', async () => {
  const state = path.join(directory, 'state/cluster-internals');
  mkdirSync(path.join(state, 'apps'), { recursive: true, mode: 0o700 });
  const socket = path.join(directory, 'gone/web.sock');
  const place = new AppPlace({ name: 'web', state, socket }, {}, () => undefined);
  await expect(place.take(null)).rejects.toMatchObject({ code: 'ENOENT' });
  mkdirSync(path.dirname(socket), { mode: 0o700 });
  await place.take(null);
  await place.close();
  rmSync(path.dirname(socket), { recursive: true });
});

test('a pid file below something that is no directory: a warning, and nothing is thrown', async () => {
  const warnings = expectedWarnings('PidFileWarning');
  const listeners = process.listeners('exit');
  keepPidFile('/proc/self/status/pid');
  for (const listener of process.listeners('exit')) if (!listeners.includes(listener)) process.off('exit', listener);
  await turn();
  expect(warnings).toEqual([expect.stringMatching(/^The pid file \/proc\/self\/status\/pid cannot be written: ENOTDIR/)]);
});

test('a lock that is passed on is never free: nobody else can have it in between, and the heir takes it', async () => {
  const locks = ownLocks('passed');
  const at = path.join(directory, 'passed.sock');
  const heir = spawn('sleep', ['60']);
  onTestFinished(() => void heir.kill('SIGKILL'));
  await once(heir, 'spawn');
  takeLock(at, locks).passTo(heir.pid as number);
  expect(() => takeLock(at, locks)).toThrow(new RegExp(`already running \\(pid ${heir.pid}\\)`));
  expect(() => takeLock(at, locks, true)).toThrow(/already running/); // It was passed to another process.
  heir.kill('SIGKILL');
  await once(heir, 'exit');
  const lock = takeLock(at, locks);
  lock.passTo(process.pid);
  lock.release(); // It is not this one's any more.
  expect(() => takeLock(at, locks)).toThrow(/already running/);
  const own = takeLock(at, locks, true);
  own.passTo(heir.pid as number); // That has ended: the lock is free.
  takeLock(at, locks).release();
});

test('a server of a control socket that is left while it begins to listen passes its lock on as soon as it has it', async () => {
  const locks = ownLocks('binding');
  const at = path.join(directory, 'binding.sock');
  const hello: Hello = { kind: 'app', name: 'a', pid: process.pid, startedBy: 'program' };
  const [first, second] = [new ControlServer(hello, {}), new ControlServer(hello, {})];
  const listening = first.listen(at, locks);
  first.leave(process.pid);
  await listening;
  await second.listen(at, locks, process.pid);
  await first.close();
  const client = await ControlClient.connect(at);
  client.close();
  await second.close();
});

function ownLocks(name: string): string {
  const state = path.join(directory, name);
  mkdirSync(state, { mode: 0o700 });
  return locksIn(state);
}

/** Resolves when that holds. */
async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('too late');
    await turn();
  }
}
