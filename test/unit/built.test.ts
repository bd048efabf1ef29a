// Guards against edits that have no effect because workers run dist: a parent that runs the sources warns of an old dist in its first line.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { whyStale } from '../../internal/dist_files';
import { root, run } from '../support/program';

const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'unit-')));
afterAll(() => rmSync(directory, { recursive: true }));

const built = path.join(directory, 'dist/internal/startup/entry.bundle.js');
const edited = path.join(directory, 'internal/child/index.ts');
const touch = (file: string, seconds: number): void => utimesSync(file, seconds, seconds);

test('warns if dist is missing or older than the sources, and not if it is newer', async () => {
  for (const part of ['lib', 'internal']) cpSync(path.join(root, part), path.join(directory, part), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(directory, 'node_modules'));
  expect(whyStale(directory)).toMatch(/^dist is missing/);

  writeFileSync(path.join(directory, 'program.ts'), "import cluster from './lib/cluster'; console.log(cluster.isPrimary);");
  const tsx = path.join(root, 'node_modules/tsx/dist/cli.mjs');
  const missing = await run(tsx, { args: ['program.ts'], cwd: directory });
  expect([missing.stdout, missing.stderr]).toEqual(['true\n', 'cluster-internals: dist is missing, and workers run it: they cannot start. Run: npm run build\n']);

  mkdirSync(path.dirname(built), { recursive: true });
  writeFileSync(built, '');
  touch(built, Date.now() / 1000 + 100);
  expect(whyStale(directory)).toBeNull();

  touch(edited, Date.now() / 1000 + 200);
  const older = 'dist is older than internal/child/index.ts, and workers run dist: the edit has no effect in them';
  expect(whyStale(directory)).toBe(older);
  expect((await run(tsx, { args: ['program.ts'], cwd: directory })).stderr).toBe(`cluster-internals: ${older}. Run: npm run build\n`);
});
