/** E13: from Node 24 on, a child of another user that may not look into its working directory cannot load our preload. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mayPreload } from '../../internal/channel/other_user';

const NOBODY = { uid: 65534, gid: 65534 };
const directory = mkdtempSync(path.join(tmpdir(), 'other-user-'));
const closed = path.join(directory, 'closed');
const file = path.join(directory, 'preload.js');
const secret = path.join(closed, 'preload.js');
chmodSync(directory, 0o755);
mkdirSync(path.join(closed, 'below'), { recursive: true });
for (const name of [file, secret]) writeFileSync(name, '');
chmodSync(closed, 0o700);
afterAll(() => rmSync(directory, { recursive: true }));

test('the file and the directory have to be open to the user, with all above them', () => {
  expect(mayPreload(file, NOBODY, directory)).toBe(true);
  expect(mayPreload(file, NOBODY, closed)).toBe(false);
  expect(mayPreload(file, NOBODY, path.join(closed, 'below'))).toBe(false);
  expect(mayPreload(secret, NOBODY, directory)).toBe(false);
  expect(mayPreload(path.join(directory, 'none'), NOBODY, directory)).toBe(false);
});

test('a child that stays the same user, and a child of root, may always load it', () => {
  expect(mayPreload(secret, {}, closed)).toBe(true);
  expect(mayPreload(secret, { uid: undefined, gid: undefined }, closed)).toBe(true);
  expect(mayPreload(secret, { uid: 0, gid: 65534 }, closed)).toBe(true);
});
