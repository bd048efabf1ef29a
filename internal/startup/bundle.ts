/**
 * Makes the bundles. A worker must not start later than a stock one, and finding, reading and compiling some thirty
 * files takes time: without bundles a worker starts 6 ms later, and a primary needs 4 MiB more memory. So the build
 * puts all modules that a process loads into one file, and stores the machine code that V8 made of it beside it.
 *
 *   file in dist/internal/startup/   made of                                         loaded by
 *   entry.bundle.js                  entry.ts, bundle_loader.ts                      `--require` in a worker
 *   preload.bundle.js                preload.ts and what it loads: channel, child    entry.bundle.js
 *   role.bundle.js                   role.ts and what it loads: channel, master      load_role.ts in a primary
 *   operate-….bundle.js, …           the programs of PROGRAMS and what they load      program.ts
 *   *.bundle.js.map                  the source maps of its modules                  a debugger
 *   *.bundle.js.v22.1.0-x64          the code cache of one version of Node           bundle_loader.ts
 *
 * A bundle is a list of functions, one for each module. A module runs when it is first required, and once in a process,
 * even if it is in two bundles or is also loaded from its own file (module_instances.ts).
 *
 * The code cache holds each function that had run when the cache was made. So this step runs a primary and a worker
 * until the worker listens, and lets each of them store its cache. Of a program it holds all functions. The npm package has no code cache: an installed copy
 * compiles at each start.
 *
 * To debug with bundles: a debugger reads the source map, which is in the index format: one section for each module. A
 * breakpoint in TypeScript is hit. Stack traces name lines of the bundle.
 * To run without bundles: with CLUSTER_INTERNALS_BUNDLE=off in its environment a process loads each module from its own
 * file dist/internal/…/name.js, and so do its workers, which inherit the variable. Node's `--enable-source-maps` has the
 * same effect, because Node maps only files that its own loader has read; stack traces then name the TypeScript.
 *
 * Used by  `npm run build`, after the compiler. The package does not contain this file
 * Never    changes code. Never puts a file of child/ into a primary's bundle
 * Keeps    each line of a module as one line of the bundle, so that the module's source map holds
 */
import type { Cluster } from 'node:cluster';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { codeCacheFile, codeCacheHead } from './bundle_loader';
import { bundle as roleBundle, compiledRole, loadRole } from './load_role';
import { takenOverCluster } from '../node_cluster';

/** The directory dist/internal. */
const internal = path.join(__dirname, '..');
const preloadBundle = path.join(__dirname, 'preload.bundle.js');
const entryBundle = path.join(__dirname, 'entry.bundle.js');
const preload = path.join(__dirname, 'preload.js');
const child = path.join(internal, 'child/');
/** The programs with a bundle of their own. The build puts `run` of program.ts around each. */
const PROGRAMS = ['operate/cli/main.js', 'operate/daemon/main.js', 'operate/app/app_primary.js', 'supervisor/worker/agent.js'];
/** The name of a program's bundle: 'operate-cli-main.bundle.js'. */
const bundleOf = (program: string): string => program.replaceAll('/', '-').replace(/js$/, 'bundle.js');
/** V8 takes a code cache only under the flags with which it was made, and the daemon is started with flags of its own. */
const hasOtherFlags = (program: string): boolean => program === 'operate/daemon/main.js';
/** A primary's bundle has no code of a worker. A worker under a stock primary loads its role from single files. */
const isOutsideRole = (file: string): boolean => file === preload || file.startsWith(child);
/** A program uses the bundle of its role, and most commands need neither the recorder nor the page. */
const isOutsideProgram = (file: string): boolean => ['startup/', 'recording/', 'page/'].some((directory) => file.startsWith(path.join(internal, directory)));
const ONCE = '"use strict"; require(';
const TAIL = '\n});\n';

// The code cache comes from running the bundles, so the build itself ignores this variable.
delete process.env['CLUSTER_INTERNALS_BUNDLE'];

const worker = takenOverCluster() as Cluster | null;
if (worker === null) {
  write(roleBundle, 'startup/role.js');
  write(preloadBundle, 'startup/preload.js');
  // Node itself loads this file with `require`, so it exports and runs at once. It is one file, since to find a file takes 0.4 ms of each start.
  write(entryBundle, 'startup/entry.js', 'module.exports = ', `(require, __dirname.slice(0, -'startup'.length), new Map());`);
  for (const program of PROGRAMS) {
    const file = path.join(__dirname, bundleOf(program));
    write(file, program);
    if (!hasOtherFlags(program)) storeCodeCache(file, wholeCodeCache(file));
  }
  for (const name of readdirSync(internal, { recursive: true, encoding: 'utf8' })) if (/^(?!.*bundle|.*module_instances).*\.js$/.test(name)) runOnce(name);
  const primary = loadRole().clusterObject(false) as Cluster;
  // When the worker has exited, this primary has run, and so compiled, the functions that each primary runs.
  primary.fork().on('exit', () => {
    storeCodeCache(roleBundle, compiledRole());
    if (!existsSync(codeCacheFile(preloadBundle))) throw new Error('The worker that the build started ended before it listened, so preload.bundle.js has no code cache');
  });
} else {
  createServer().listen(0, '127.0.0.1', () => {
    const { script } = require(entryBundle) as typeof import('./entry');
    storeCodeCache(preloadBundle, (script as Script).createCachedData());
    worker.worker?.kill();
  });
}

/** Writes a bundle and its source map. Deletes all older code caches first: V8 compares only the length of the text. */
function write(file: string, entry: string, before = '', after = ''): void {
  for (const name of readdirSync(path.dirname(file))) {
    if (name.startsWith(`${path.basename(file)}.`)) rmSync(path.join(path.dirname(file), name));
  }
  const { code, sections } = bundle(entry);
  const map = `${path.basename(file)}.map`;
  writeFileSync(file, `${before}${code}${after}\n//# sourceMappingURL=${map}\n`);
  const ofEach = sections.map(({ module, line }) => ({ offset: { line, column: 0 }, map: mapOf(module, path.dirname(file)) }));
  writeFileSync(path.join(path.dirname(file), map), JSON.stringify({ version: 3, file: path.basename(file), sections: ofEach }));
}

function storeCodeCache(file: string, cache: Buffer): void {
  writeFileSync(codeCacheFile(file), Buffer.concat([codeCacheHead(file), cache]));
}

/**
 * The code cache of all functions of a bundle: a program's bundle does not run at build time, so V8 is told to compile
 * each function when it reads the text. A cache carries V8's flags, so they are as before when it is made.
 */
function wholeCodeCache(file: string): Buffer {
  setFlagsFromString('--no-lazy');
  const script = new Script(readFileSync(file, 'latin1'), { filename: file });
  setFlagsFromString('--lazy');
  return script.createCachedData();
}

/** The source map that the compiler made of a module, with paths relative to `directory`. */
function mapOf(module: string, directory: string): object {
  const map = JSON.parse(readFileSync(`${module}.map`, 'utf8')) as { sources: string[] };
  return { ...map, sources: map.sources.map((source) => path.relative(directory, path.resolve(path.dirname(module), source))) };
}

interface Section {
  readonly module: string;
  /** The number of the module's first line in the bundle, counted from 0. */
  readonly line: number;
}

/** The text of a function that runs the module `name` of internal/ and returns its exports. */
function bundle(name: string): { code: string; sections: Section[] } {
  const entry = path.join(internal, name);
  const modules = new Map<string, string>();
  collect(entry, modules, PROGRAMS.includes(name) ? isOutsideProgram : name === 'startup/role.js' ? isOutsideRole : () => false);
  let code = `(function (require, $root, $instances) {
'use strict';
const $modules = {
`;
  const sections: Section[] = [];
  for (const [module, text] of modules) {
    code += `${nameOf(module)}(module, exports, __filename, __dirname) {\n`;
    sections.push({ module, line: code.split('\n').length - 1 });
    code += `${text}\n},\n`;
  }
  return {
    sections,
    code: `${code}};
function $load(name) {
  const file = $root + name;
  if ($instances.has(file)) return $instances.get(file).exports;
  const module = { exports: {} };
  $instances.set(file, module);
  try {
    $modules[name](module, module.exports, file, file.slice(0, file.lastIndexOf('/')));
  } catch (error) {
    $instances.delete(file);
    throw error;
  }
  return module.exports;
}
return $load(${nameOf(entry)});
})`,
  };
}

/** Wraps a single file in `once` (module_instances.ts), or a program in `run` (program.ts). Only the first line grows, so its source map holds. */
function runOnce(name: string): void {
  const file = path.join(internal, name);
  const isProgram = PROGRAMS.includes(name);
  const loader = relativeTo(path.dirname(file), path.join(__dirname, isProgram ? 'program.js' : 'module_instances.js'));
  const head = `${ONCE}${JSON.stringify(loader)}).${isProgram ? `run(module, '${bundleOf(name)}', ` : 'once(module, '}() => { `;
  writeFileSync(file, head + compilerOutput(file) + TAIL);
}

/** A file as the compiler wrote it, without the wrapper that an earlier run of this step has put around it. */
function compilerOutput(file: string): string {
  const code = readFileSync(file, 'utf8');
  return code.startsWith(ONCE) ? code.slice(code.indexOf('{') + 2, -TAIL.length) : code;
}

/** Adds a compiled module to `modules`, and each module that it requires by a relative path. */
function collect(file: string, modules: Map<string, string>, isOutside: (file: string) => boolean): void {
  if (modules.has(file)) return;
  modules.set(file, '');
  const code = withoutComments(compilerOutput(file));
  modules.set(file, code.replace(/\brequire\((["'])(\.[^"']+)\1\)/g, (_call, _quote, relative: string) => {
    const required = require.resolve(path.resolve(path.dirname(file), relative));
    if (isOutside(required)) return `require(${JSON.stringify(relativeTo(__dirname, required))})`;
    collect(required, modules, isOutside);
    return `$load(${nameOf(required)})`;
  }));
}

/** Empties comments and escapes what is not ASCII: V8 reads such a text twice as fast. The number of lines stays the same. */
function withoutComments(code: string): string {
  return code.replace(/^ *\/\*[^]*?\*\/$/gm, (comment) => comment.replace(/[^\n]+/g, '')).replace(/^ *\/\/.*$/gm, '')
    .replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The path from `directory` to `file` as `require` accepts it: it begins with a dot. */
function relativeTo(directory: string, file: string): string {
  const relative = path.relative(directory, file);
  return relative.startsWith('.') ? relative : `./${relative}`;
}

function nameOf(file: string): string {
  return JSON.stringify(path.relative(internal, file));
}
