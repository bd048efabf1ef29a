/** Who may import whom (the layers of internal/README.md), in the sources and in what a process has loaded. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cleanEnvironment, fixture } from '../support/children';
import { root, run } from '../support/program';

/**
 * What each part may import of this project, besides itself. A part is a file, or a directory with a slash at its end;
 * the longest name that fits a file is its part. `leaves` are imported by everybody.
 */
const allowed: Record<string, readonly string[]> = {
  // The public doors.
  'lib/': ['lib/', 'internal/startup/load_role', 'internal/startup/role', 'internal/node_cluster', 'internal/supervisor/', 'internal/operate/', 'internal/errors', 'internal/own_options', 'internal/validate', 'internal/clock'],
  'lib/cli': ['lib/supervisor', 'lib/cluster', 'internal/operate/cli/', 'internal/dist_files'],
  'lib/cluster': ['internal/startup/role', 'internal/startup/load_role', 'internal/node_cluster'],
  // The shared state and the supervisor use only the public API of the cluster object that the program passes.
  'lib/shared_state': ['lib/cluster', 'internal/shared_state/', 'internal/errors', 'internal/own_options', 'internal/validate'],
  'internal/shared_state/': ['internal/errors', 'internal/own_options', 'internal/validate', 'internal/clock'],
  'internal/shared_state/protocol': [],
  'internal/shared_state/guards': ['internal/is_object', 'internal/shared_state/protocol'],
  'internal/shared_state/server/': ['internal/is_object', 'internal/upgrade/registry', 'internal/shared_state/protocol', 'internal/shared_state/guards', 'internal/shared_state/values', 'internal/validate', 'internal/clock'],
  // In the primary the server and a client of it run in one process, so this file may import client/.
  'internal/shared_state/server/primary': ['internal/upgrade/registry', 'internal/shared_state/', 'internal/clock'],
  'internal/shared_state/client/': ['internal/shared_state/protocol', 'internal/shared_state/guards', 'internal/shared_state/values', 'internal/validate', 'internal/clock', 'internal/errors', 'internal/own_options'],
  // Over a store a process needs the client, and no server.
  'internal/shared_state/store/': ['internal/is_object', 'internal/shared_state/client/', 'internal/shared_state/protocol', 'internal/shared_state/guards', 'internal/shared_state/values', 'internal/validate', 'internal/clock', 'internal/errors'],
  'internal/supervisor/': ['leaves', 'internal/validate', 'internal/moving', 'internal/upgrade/'],
  // A primary that is replaced by another process, and that process.
  'internal/upgrade/': ['internal/channel/', 'internal/native/', 'internal/limits', 'leaves'],
  'internal/upgrade/registry': ['internal/native/bindings'],
  'internal/upgrade/messages': ['internal/is_object', 'internal/upgrade/registry'],
  // Operating: what the shell, the daemon and the control sockets do with a supervisor.
  'internal/operate/make_directory': [],
  'internal/operate/control/': ['internal/is_object', 'internal/upgrade/registry', 'internal/operate/make_directory', 'internal/errors', 'internal/validate', 'internal/supervisor/'],
  'internal/operate/cli/': ['internal/is_object', 'internal/operate/', 'internal/recording/', 'internal/page/', 'internal/supervisor/', 'internal/errors', 'internal/validate', 'internal/clock', 'internal/own_options', 'internal/dist_files'],
  // These files run in each worker. Of the primary's side they may import the messages, and the small files that both sides use.
  'internal/supervisor/worker/': ['internal/supervisor/wire', 'internal/supervisor/states', 'internal/supervisor/readiness',
    'internal/supervisor/app_calls', 'internal/supervisor/stop_requests', 'internal/supervisor/debugger', 'internal/native/http', 'internal/native/idle_connections', 'internal/moving', 'internal/own_listeners', 'leaves'],
  // What operates an app. app/: the primary of one app; daemon/: the process that starts primaries.
  'internal/operate/app/': ['internal/operate/make_directory', 'internal/upgrade/registry', 'internal/operate/control/', 'internal/operate/metrics/', 'internal/supervisor/', 'internal/startup/load_role', 'internal/validate', 'leaves'],
  'internal/operate/metrics/': ['internal/supervisor/', 'internal/upgrade/registry', 'internal/native/bindings', 'internal/native/handles', 'internal/master/connection_counters', 'leaves'],
  'internal/operate/systemd/': ['internal/supervisor/', 'leaves'],
  'internal/operate/daemon/': ['internal/operate/make_directory', 'internal/operate/control/', 'internal/operate/app/', 'internal/supervisor/restart_budget', 'internal/supervisor/error_line', 'internal/validate', 'leaves'],
  // The recorder looks at channels from outside, and no other part knows it. (startup/entry.ts loads it by its path.)
  // The page that shows a recording: it gets what a reader has read, as plain objects.
  'internal/page/': ['leaves'],
  'internal/page/live/': ['internal/page/', 'internal/recording/', 'leaves'],
  'internal/recording/': ['leaves', 'internal/own_listeners', 'internal/native/', 'internal/channel/framing', 'internal/channel/codec'],
  // How a process begins: which role it has, and which files that loads.
  'internal/startup/role': ['internal/startup/', 'internal/node_cluster', 'internal/master/', 'internal/child/', 'internal/channel/bootstrap_env', 'internal/channel/spawn'],
  'internal/startup/bundle': ['internal/startup/', 'internal/node_cluster'],
  'internal/startup/load_role': ['internal/startup/role', 'internal/startup/bundle_loader'],
  'internal/startup/entry': ['internal/startup/bundle_loader'],
  'internal/startup/program': ['internal/startup/bundle_loader', 'internal/startup/module_instances'],
  'internal/startup/bundle_loader': ['internal/startup/module_instances'],
  'internal/startup/module_instances': [],
  'internal/startup/late_takeover': ['internal/native/emitters'],
  'internal/startup/preload': ['internal/child/', 'internal/channel/', 'internal/native/', 'internal/node_cluster'],
  // The cluster: two roles, which meet in messages.ts and never import each other.
  'internal/master/': ['internal/upgrade/registry', 'internal/upgrade/successor', 'internal/limits', 'internal/validate', 'internal/worker', 'internal/return_idle', 'internal/moving', 'internal/calls', 'internal/channel/', 'internal/native/', 'leaves'],
  'internal/child/': ['internal/worker', 'internal/return_idle', 'internal/moving', 'internal/own_listeners', 'internal/calls', 'internal/channel/', 'internal/native/', 'leaves'],
  'internal/calls': ['internal/channel/attach_channel', 'internal/native/', 'leaves'],
  // The channel knows nothing of clusters.
  'internal/channel/': ['internal/limits', 'internal/native/', 'leaves'],
  'internal/native/': [],
  'internal/limits': ['internal/errors', 'internal/validate'],
  'internal/validate': ['internal/errors'],
  'internal/clock': [],
  'internal/worker': [],
  'internal/return_idle': ['internal/worker', 'internal/validate', 'leaves'],
  'internal/own_listeners': [],
  'internal/moving': [],
  'internal/node_cluster': ['internal/native/emitters'],
  'internal/messages': [],
  'internal/trace': [],
  'internal/errors': [],
  'internal/own_options': [],
  'internal/is_object': [],
  'internal/dist_files': [],
  'internal/builtins': [],
  'internal/fifo': [],
  'internal/fds': [],
};
const leaves = ['internal/messages', 'internal/trace', 'internal/errors', 'internal/own_options', 'internal/is_object', 'internal/clock', 'internal/fifo', 'internal/fds', 'internal/dist_files'];

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
  const part = partOf(own);
  const may = ['internal/builtins', ...(part.endsWith('/') ? [part] : []), ...(allowed[part] ?? []).flatMap((each) => (each === 'leaves' ? leaves : [each]))];
  return imports(text).filter((name) => name.startsWith('.')).map((name) => path.join(path.dirname(own), name).replace(/\.(ts|js)$/, ''))
    .map((target) => (sources.includes(`${target}/index.ts`) ? `${target}/index` : target))
    .filter((target) => !may.some((part) => (part.endsWith('/') ? target.startsWith(part) : target === part)))
    .map((target) => `${own} → ${target}`);
}

/** Each file with those that it imports, types included. */
function graphOf(files: readonly string[]): Map<string, string[]> {
  return new Map(files.map((file) => [file, imports(read(file)).filter((name) => name.startsWith('.'))
    .map((name) => path.join(path.dirname(file), name).replace(/\.(ts|js)$/, ''))
    .flatMap((target) => [`${target}.ts`, `${target}/index.ts`].filter((one) => files.includes(one)))]));
}

/** One circle of imports, as the files on the way round; null if there is none. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const walk = (file: string, way: readonly string[]): string[] | null => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const target of graph.get(file) ?? []) {
      const circle = walk(target, [...way, file]);
      if (circle !== null) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const circle = walk(file, []);
    if (circle !== null) return circle;
  }
  return null;
}

const ADVICE = 'An import runs against the layers of internal/README.md. Move what both files need into a file below both, or pass it in as an argument. '
  + 'If the layers themselves have changed: the table `allowed` in test/unit/arrows.test.ts, and the picture in internal/README.md.';

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
  expect(wrongArrows('internal/messages.ts', "import { x } from './native/pipes';")).toEqual(['internal/messages → internal/native/pipes']);
  expect(wrongArrows('internal/native/pipes.ts', "import { x } from '../../lib/cluster';")).toEqual(['internal/native/pipes → lib/cluster']);
});

describe('each source', () => {
  test('there are some, and each belongs to a part', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.filter((file) => partOf(file.replace(/\.ts$/, '')) === 'nothing')).toEqual([]);
  });

  test.each(sources)('%s imports only what it may', (file) => {
    expect(wrongArrows(file, read(file)), ADVICE).toEqual([]);
  });

  test('there is no circle, neither here nor in test and bench', () => {
    expect(circleIn(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]]))).toEqual(['b', 'c', 'b']);
    const all = ['lib', 'internal', 'test', 'bench'].flatMap((directory) => (readdirSync(path.join(root, directory), { recursive: true }) as string[])
      .filter((file) => file.endsWith('.ts')).map((file) => `${directory}/${file}`));
    expect(circleIn(graphOf(all)), ADVICE).toBeNull();
  });

  test('messages, trace, errors and fifo are leaves; messages imports nothing at all', () => {
    for (const leaf of leaves) expect([leaf, imports(read(`${leaf}.ts`)).filter((name) => name.startsWith('.') && name !== './builtins')]).toEqual([leaf, []]);
    expect(imports(read('internal/messages.ts'))).toEqual([]);
  });

  test('only internal/native touches what Node does not document, and uses any', () => {
    const touches = (pattern: RegExp): string[] => sources.filter((file) => pattern.test(code(read(file)).replace(/'(?:[^'\\\n]|\\.)*'/g, "''")));
    const inNative = (files: readonly string[]): void => expect(files.filter((file) => !file.startsWith('internal/native/')), 'Write a function for it in internal/native/.').toEqual([]);
    expect(touches(/\.binding\b|\bbinding\(/)).toEqual(['internal/native/bindings.ts']);
    inNative(touches(/(?:[:<,|&([]|\bas|=>)\s*any\b|\bany\[\]/));
    expect(touches(/\._handle\b/).length).toBeGreaterThan(0);
    inNative(touches(/\._handle\b/));
    inNative(touches(/\b_(?:httpMessage|debugProcess|connections|connectionKey|events|eventsCount|exiting|kill|getActiveHandles)\b|\breallyExit\b/));
  });

  test('the habits of internal/README.md: no enum, namespace, decorator, Proxy, and no package is imported', () => {
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
  expect(primary).toContain('internal/startup/load_role.js');
  expect(worker).toContain('internal/startup/entry.bundle.js');
  const [ofPrimary, ofWorker] = ['internal/startup/role.bundle.js', 'internal/startup/preload.bundle.js'].map(bundledFiles) as [string[], string[]];
  expect(ofPrimary).toContain('master/round_robin_handle.js');
  expect(ofPrimary.filter((file) => file.startsWith('child/'))).toEqual([]);
  expect(ofWorker).toContain('startup/preload.js');
  expect(ofWorker.filter((file) => file.startsWith('master/'))).toEqual([]);
});
