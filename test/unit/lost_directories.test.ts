/** The directories above a control socket, when they are missing: what is made, and what is refused. */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { directoriesAbove, makeAnew } from '../../internal/operate/control/lost_directories';
import { thrownBy } from '../support/children';

const base = mkdtempSync(path.join(tmpdir(), 'lost-'));
afterAll(() => rmSync(base, { recursive: true }));
const [upper, lower] = [path.join(base, 'upper'), path.join(base, 'upper/lower')];
const socket = path.join(lower, 'x.sock');
beforeEach(() => {
  rmSync(upper, { recursive: true, force: true });
  mkdirSync(lower, { recursive: true, mode: 0o700 });
});

test('what is missing is made with mode 0700; what is there stays as it is', () => {
  const above = directoriesAbove(socket);
  expect(above.map(({ directory }) => directory).slice(-3)).toEqual([base, upper, lower]);
  rmSync(upper, { recursive: true });
  makeAnew(above);
  expect([upper, lower].map((directory) => lstatSync(directory).mode & 0o777)).toEqual([0o700, 0o700]);
  chmodSync(upper, 0o755); // Others may look, but put nothing there.
  makeAnew(above);
  expect(lstatSync(upper).mode & 0o777).toBe(0o755);
});

test.each<[string, () => void, RegExp]>([
  ['a file', () => { rmSync(upper, { recursive: true }); writeFileSync(upper, ''); }, /upper is no directory any more/],
  ['a directory that others can write', () => chmodSync(upper, 0o777), /upper can be written by other users than before \(mode 777\)/],
  ...(process.geteuid?.() === 0 ? [['a directory of another user', () => chownSync(upper, 65534, 65534), /upper belongs to another user \(65534\) than before/] as [string, () => void, RegExp]] : []),
])('%s in the place of one is refused, and nothing is made', (_what, change, reason) => {
  const above = directoriesAbove(socket);
  rmSync(lower, { recursive: true });
  change();
  expect(thrownBy(() => makeAnew(above))).toMatchObject({ code: 'ERR_CONTROL_DIRECTORY', message: expect.stringMatching(reason) });
  expect(existsSync(lower)).toBe(false);
});

test('a directory of /run/user is not made: the system mounts one there at the next login', () => {
  const directory = '/run/user/4294967290';
  expect(thrownBy(() => makeAnew([{ directory, uid: 0, mode: 0o40700 }]))).toMatchObject({ code: 'ERR_CONTROL_DIRECTORY', message: `${directory} is missing until the user logs in` });
  expect(lstatSync(directory, { throwIfNoEntry: false })).toBeUndefined();
});
