/** What of a primary takes part in its upgrade: a part that throws does not keep the others from it, and a place is had in the end. */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { AppPlace } from '../../internal/operate/app/app_place';
import { keepPidFile } from '../../internal/supervisor/pid_file';
import { callEach, leavePlaces, registerPlace, takePlacesAgain } from '../../internal/upgrade/registry';
import { ownDirectories } from '../operate/own_directories';
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
  leavePlaces();
  takePlacesAgain();
  for (const remove of removals) remove();
  expect(calls).toEqual(['one leave', 'other leave', 'one takeAgain', 'other takeAgain']);
  await turn();
  expect(warnings.map((text) => /: (.*)$/.exec(text)?.[1])).toEqual(['one cannot leave', 'one cannot takeAgain']);
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
