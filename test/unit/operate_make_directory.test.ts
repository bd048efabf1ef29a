// Guards the start of everything that keeps a state: a directory that cannot be made is an error at once.
// mkdirSync of Node with `recursive` never returned for these.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeDirectory } from '../../internal/operate/make_directory';

const directory = mkdtempSync(path.join(tmpdir(), 'make-directory-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('makes what is missing, with mode 0700, and leaves what is there', () => {
  const deep = path.join(directory, 'a/b/c');
  makeDirectory(deep);
  makeDirectory(deep);
  expect([path.dirname(deep), deep].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
});

test.each(['/proc/cluster-internals', '/proc/cluster-internals/a', '/dev/null/a'])('%s cannot be made: an error, and no endless loop', (name) => {
  expect(() => makeDirectory(name)).toThrow(/^(ENOENT|ENOTDIR)/);
});

test('below a file: ENOTDIR', () => {
  writeFileSync(path.join(directory, 'file'), '');
  expect(() => makeDirectory(path.join(directory, 'file/a'))).toThrow(/^ENOTDIR/);
});
