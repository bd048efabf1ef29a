/**
 * Build step: puts a worker's preload, and a primary's role, with all that each of them loads, into one
 * file each, and keeps what V8 makes of it; bundle_loader.ts says what for. Beside each bundle lies an index
 * source map: one section per module, which is the map that the compiler made. A module that stands in
 * both, or is loaded from its own file as well, runs once in a process: module_instances.ts.
 *
 * Used by  `npm run build`, after the compiler
 * Never    changes the code: each module stays a function of its own, run when it is first required;
 *          puts a file of child/ into a primary; gets into the package (the package.json's `files`)
 * Keeps    each line of a module a line of the bundle, so that the module's map holds for it
 */
import type { Cluster } from 'node:cluster';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import type { Script } from 'node:vm';
import { compiledFile, compiledHead } from './bundle_loader';
import { bundle as roleBundle, compiledRole, loadRole } from './load_role';
import { takenOverCluster } from '../node_cluster';

/** The directory dist/internal. */
const internal = path.join(__dirname, '..');
const preloadBundle = path.join(__dirname, 'preload.bundle.js');
const entryBundle = path.join(__dirname, 'entry.bundle.js');
const preload = path.join(__dirname, 'preload.js');
const child = path.join(internal, 'child/');
const ONCE = '"use strict"; require(';
const TAIL = '\n});\n';

const worker = takenOverCluster() as Cluster | null;
if (worker === null) {
  write(roleBundle, 'startup/role.js');
  write(preloadBundle, 'startup/preload.js');
  // What Node itself requires runs at once, and is one file: each file that is looked for is 0.4 ms of every start.
  write(entryBundle, 'startup/entry.js', 'module.exports = ', `(require, __dirname.slice(0, -'startup'.length), new Map());`);
  for (const name of readdirSync(internal, { recursive: true, encoding: 'utf8' })) if (/^(?!.*bundle|.*module_instances).*\.js$/.test(name)) runOnce(name);
  const primary = loadRole().clusterObject(false) as Cluster;
  // A primary and a worker that have gone through a life have compiled what every one of them runs.
  primary.fork().on('exit', () => {
    keep(roleBundle, compiledRole());
    if (!existsSync(compiledFile(preloadBundle))) throw new Error('the worker of the build has not listened');
  });
} else {
  createServer().listen(0, '127.0.0.1', () => {
    const { script } = require(entryBundle) as typeof import('./entry');
    keep(preloadBundle, (script as Script).createCachedData());
    worker.worker?.kill();
  });
}

/** What V8 made of another text goes, on every Node: it might take a text of the same length for the same. */
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

function keep(file: string, compiled: Buffer): void {
  writeFileSync(compiledFile(file), Buffer.concat([compiledHead(file), compiled]));
}

/** The map that the compiler made of a module, whose sources are named as seen from `directory`. */
function mapOf(module: string, directory: string): object {
  const map = JSON.parse(readFileSync(`${module}.map`, 'utf8')) as { sources: string[] };
  return { ...map, sources: map.sources.map((source) => path.relative(directory, path.resolve(path.dirname(module), source))) };
}

interface Section {
  readonly module: string;
  /** Where its first line is in the bundle, counted from 0. */
  readonly line: number;
}

/** A function that runs a module of this directory and gives what it exports. */
function bundle(name: string): { code: string; sections: Section[] } {
  const entry = path.join(internal, name);
  const modules = new Map<string, string>();
  collect(entry, modules, entry.endsWith('role.js'));
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

/** Lets a file that is loaded by itself be the instance that its process has. Only its first line grows, so source maps stay true. */
function runOnce(name: string): void {
  const file = path.join(internal, name);
  const head = `${ONCE}${JSON.stringify(relativeTo(path.dirname(file), path.join(__dirname, 'module_instances.js')))}).once(module, () => { `;
  writeFileSync(file, head + compilerOutput(file) + TAIL);
}

/** A file as the compiler wrote it, also when this step has run before. */
function compilerOutput(file: string): string {
  const code = readFileSync(file, 'utf8');
  return code.startsWith(ONCE) ? code.slice(code.indexOf('{') + 2, -TAIL.length) : code;
}

/** Adds a compiled module, and those that it requires by a relative path. */
function collect(file: string, modules: Map<string, string>, ofRole: boolean): void {
  if (modules.has(file)) return;
  modules.set(file, '');
  const code = withoutComments(compilerOutput(file));
  modules.set(file, code.replace(/\brequire\((["'])(\.[^"']+)\1\)/g, (_call, _quote, relative: string) => {
    const required = require.resolve(path.resolve(path.dirname(file), relative));
    // A primary's bundle: it holds no code of a worker. The role of a worker under a stock primary is loaded from its own files.
    if (ofRole && (required === preload || required.startsWith(child))) return `require(${JSON.stringify(relativeTo(__dirname, required))})`;
    collect(required, modules, ofRole);
    return `$load(${nameOf(required)})`;
  }));
}

/** Comments are most of our text, and what makes it more than ASCII: V8 reads it twice as fast without. Their lines stay, empty. */
function withoutComments(code: string): string {
  return code.replace(/^ *\/\*[^]*?\*\/$/gm, (comment) => comment.replace(/[^\n]+/g, '')).replace(/^ *\/\/.*$/gm, '')
    .replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As `require` wants a relative path: with a dot in front. */
function relativeTo(directory: string, file: string): string {
  const relative = path.relative(directory, file);
  return relative.startsWith('.') ? relative : `./${relative}`;
}

function nameOf(file: string): string {
  return JSON.stringify(path.relative(internal, file));
}
