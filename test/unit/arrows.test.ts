/** Who may import whom (design.md §2), in the sources and in what a process has loaded. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cleanEnvironment, fixture } from '../support/children';
import { root, run } from '../support/program';

/** What each part may import of this project. A part is a file, or a directory with a slash at its end. */
const allowed: Record<string, readonly string[]> = {
  'lib/': ['lib/', 'internal/role', 'internal/primary_entry', 'internal/seated', 'internal/channel/', 'internal/supervisor/', 'internal/errors'],
  // Types of settings, and the door.
  'lib/cluster': ['internal/role', 'internal/primary_entry', 'internal/seated'],
  // These stand on the public cluster object, which they are given: they know nothing of how ours works.
  'lib/shared_state': ['lib/cluster', 'internal/shared_state/', 'internal/errors'],
  'internal/shared_state/': ['internal/shared_state/', 'internal/errors'],
  'internal/shared_state/protocol': [],
  'internal/supervisor/': ['internal/supervisor/', 'leaves'],
  'internal/role': ['internal/faces', 'internal/seat', 'internal/seated', 'internal/master/', 'internal/child/', 'internal/channel/inherited', 'internal/channel/spawn'],
  'internal/seat': ['internal/seated'],
  'internal/seated': [],
  'internal/faces': [],
  // A build step: it runs what it has put together.
  'internal/bundle': ['internal/compiled', 'internal/primary_entry', 'internal/child/entry', 'internal/seated'],
  'internal/primary_entry': ['internal/role', 'internal/compiled'],
  'internal/child/entry': ['internal/compiled'],
  'internal/compiled': ['internal/instances'],
  'internal/instances': [],
  // The first code of a worker is a door as those of lib are: it takes the seat.
  'internal/child/preload': ['internal/child/', 'internal/channel/', 'internal/native', 'internal/seat', 'internal/seated'],
  'internal/master/': ['internal/master/', 'internal/limits', 'internal/worker', 'internal/calls', 'internal/channel/', 'internal/native', 'leaves'],
  'internal/child/': ['internal/child/', 'internal/worker', 'internal/calls', 'internal/channel/', 'internal/native', 'leaves'],
  'internal/worker': [],
  'internal/calls': ['internal/channel/process_face', 'internal/native', 'leaves'],
  'internal/channel/': ['internal/channel/', 'internal/limits', 'internal/native', 'leaves'],
  'internal/native': [],
  'internal/messages': [],
  'internal/trace': [],
  'internal/errors': [],
  'internal/built': [],
  'internal/builtins': [],
  'internal/fifo': [],
  'internal/limits': ['internal/errors'],
};
const leaves = ['internal/messages', 'internal/trace', 'internal/errors', 'internal/fifo', 'internal/built'];

const sources = ['lib', 'internal'].flatMap((directory) => (readdirSync(path.join(root, directory), { recursive: true }) as string[])
  .filter((file) => file.endsWith('.ts')).map((file) => `${directory}/${file}`)).sort();

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Without comments, so that prose may name what code may not. */
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');

/** Every module that a source names, however it loads it, types included. */
function imports(text: string): string[] {
  const named = [...code(text).matchAll(/(?:\bfrom|\bimport|(?<!-)\brequire|\bimport\s*\(|\brequire\s*\()\s*\(?\s*(['"])([^'"\n]+)\1/g)];
  return [...new Set(named.map((match) => match[2] as string))];
}

const partOf = (file: string): string =>
  Object.keys(allowed).filter((part) => (part.endsWith('/') ? file.startsWith(part) : file === part)).sort((a, b) => b.length - a.length)[0] ?? 'nothing';

/** The arrows of `file` that it may not have. */
function wrongArrows(file: string, text: string): string[] {
  const own = file.replace(/\.ts$/, '');
  // Whatever runs after the app was loaded may use the builtins as they were before.
  const may = ['internal/builtins', ...(allowed[partOf(own)] ?? []).flatMap((part) => (part === 'leaves' ? leaves : [part]))];
  return imports(text).filter((name) => name.startsWith('.')).map((name) => path.join(path.dirname(own), name).replace(/\.(ts|js)$/, ''))
    .map((target) => (sources.includes(`${target}/index.ts`) ? `${target}/index` : target))
    .filter((target) => !may.some((part) => (part.endsWith('/') ? target.startsWith(part) : target === part)))
    .map((target) => `${own} → ${target}`);
}

test('the reader of imports finds every way to name a module, and no comment', () => {
  expect(imports(`
    import a from './a'; import type { B } from "./b"; import {
      c, d,
    } from './c';
    export { e } from './e'; export * from './f'; import './g';
    const h = require('./h') as typeof import('./h2'); const i = await import("./i"); type J = import('./j').J;
    // import k from './k'
    /* require('./l') */
  `).sort()).toEqual(['./a', './b', './c', './e', './f', './g', './h', './h2', './i', './j']);
});

test('a wrong arrow is found', () => {
  expect(wrongArrows('internal/master/peer.ts', "import { x } from '../child/index';")).toEqual(['internal/master/peer → internal/child/index']);
  expect(wrongArrows('internal/child/index.ts', "const x = require('../master/peer');")).toEqual(['internal/child/index → internal/master/peer']);
  expect(wrongArrows('internal/channel/channel.ts', "import type { Calls } from '../calls';")).toEqual(['internal/channel/channel → internal/calls']);
  expect(wrongArrows('internal/messages.ts', "import { x } from './native';")).toEqual(['internal/messages → internal/native']);
  expect(wrongArrows('internal/native.ts', "import { x } from '../lib/cluster';")).toEqual(['internal/native → lib/cluster']);
});

describe('each source', () => {
  test('there are some, and each belongs to a part', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.filter((file) => partOf(file.replace(/\.ts$/, '')) === 'nothing')).toEqual([]);
  });

  test.each(sources)('%s imports only what it may', (file) => {
    expect(wrongArrows(file, read(file))).toEqual([]);
  });

  test('messages, trace, errors and fifo are leaves; messages imports nothing at all', () => {
    for (const leaf of leaves) expect([leaf, imports(read(`${leaf}.ts`)).filter((name) => name.startsWith('.') && name !== './builtins')]).toEqual([leaf, []]);
    expect(imports(read('internal/messages.ts'))).toEqual([]);
  });

  test('only native.ts touches process.binding and uses any', () => {
    const touches = (pattern: RegExp): string[] => sources.filter((file) => pattern.test(code(read(file)).replace(/'(?:[^'\\\n]|\\.)*'/g, "''")));
    expect(touches(/\.binding\b|\bbinding\(/)).toEqual(['internal/native.ts']);
    expect(touches(/(?:[:<,|&([]|\bas|=>)\s*any\b|\bany\[\]/)).toEqual(['internal/native.ts']);
    expect(touches(/\._handle\b/)).toEqual(['internal/native.ts']);
  });

  test('style.md: no enum, namespace, decorator, Proxy, and no package is imported', () => {
    const uses = (pattern: RegExp): string[] => sources.filter((file) => pattern.test(code(read(file))));
    expect(uses(/^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/m)).toEqual([]);
    expect(uses(/^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w/m)).toEqual([]);
    expect(uses(/\bnew Proxy\b/)).toEqual([]);
    for (const file of sources) expect([file, imports(read(file)).filter((name) => !/^(?:\.|node:)/.test(name))]).toEqual([file, []]);
  });
});

const bundledFiles = (bundle: string): string[] => [...read(`dist/${bundle}`).matchAll(/^"(.+)"\(module, exports/gm)].map((match) => match[1] as string);

test('a primary has loaded no file of child/, a worker none of master/', async () => {
  const { stdout, stderr, code: exitCode } = await run(fixture('unit-loaded-files.js'), { env: cleanEnvironment() });
  expect([exitCode, stderr]).toEqual([0, '']);
  const [primary, worker] = stdout.trim().split('\n').map((line) => JSON.parse(line) as string[]) as [string[], string[]];
  expect(primary.filter((file) => file.includes('/child/'))).toEqual([]);
  expect(worker.filter((file) => file.includes('/master/'))).toEqual([]);
  // What each has run comes out of a bundle, which is read and not required.
  expect(primary).toContain('internal/primary_entry.js');
  expect(worker).toContain('internal/child/entry.bundle.js');
  const [ofPrimary, ofWorker] = ['internal/role.bundle.js', 'internal/child/preload.bundle.js'].map(bundledFiles) as [string[], string[]];
  expect(ofPrimary).toContain('master/round_robin_handle.js');
  expect(ofPrimary.filter((file) => file.startsWith('child/'))).toEqual([]);
  expect(ofWorker).toContain('child/preload.js');
  expect(ofWorker.filter((file) => file.startsWith('master/'))).toEqual([]);
});
