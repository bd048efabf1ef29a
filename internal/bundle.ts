/**
 * Build step: puts a worker's preload, and a primary's role, with all that each of them loads, into one
 * file each, and keeps what V8 makes of it; compiled.ts says what for.
 *
 * Used by  `npm run build`, after the compiler
 * Never    changes the code: each module stays a function of its own, run when it is first required;
 *          puts a file of child/ into a primary
 */
import type { Cluster } from 'node:cluster';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { compiledFile } from './compiled';
import { bundle as roleBundle, compiledRole, loadRole } from './primary_entry';
import { occupiedSeat } from './seated';

const preloadBundle = path.join(__dirname, 'child/preload.bundle.js');
const entryBundle = path.join(__dirname, 'child/entry.bundle.js');
const child = path.join(__dirname, 'child/');

const worker = occupiedSeat() as Cluster | null;
if (worker === null) {
  write(roleBundle, bundle('role.js'));
  write(preloadBundle, bundle('child/preload.js'));
  // What Node itself requires runs at once, and is one file: each file that is looked for is 0.4 ms of every start.
  write(entryBundle, `module.exports = ${bundle('child/entry.js')}(require, __dirname.slice(0, -'child'.length));`);
  const primary = loadRole().clusterObject(false) as Cluster;
  // A primary and a worker that have gone through a life have compiled what every one of them runs.
  primary.fork().on('exit', () => {
    writeFileSync(compiledFile(roleBundle), compiledRole());
    if (!existsSync(compiledFile(preloadBundle))) throw new Error('the worker of the build has not listened');
  });
} else {
  createServer().listen(0, '127.0.0.1', () => {
    const { script } = require(entryBundle) as typeof import('./child/entry');
    writeFileSync(compiledFile(preloadBundle), script.createCachedData());
    worker.worker?.kill();
  });
}

/** What V8 made of another text goes, on every Node: it might take a text of the same length for the same. */
function write(file: string, code: string): void {
  for (const name of readdirSync(path.dirname(file))) {
    if (name.startsWith(`${path.basename(file)}.`)) rmSync(path.join(path.dirname(file), name));
  }
  writeFileSync(file, code);
}

/** A function that runs a module of this directory and gives what it exports. */
function bundle(name: string): string {
  const entry = path.join(__dirname, name);
  const modules = new Map<string, string>();
  collect(entry, modules);
  const bodies = [...modules].map(([file, code]) => `${nameOf(file)}(module, exports, __filename, __dirname) {\n${code}\n},`);
  return `(function (require, $root) {
'use strict';
const $modules = {
${bodies.join('\n')}
};
const $loaded = {};
function $load(name) {
  if ($loaded[name]) return $loaded[name].exports;
  const module = $loaded[name] = { exports: {} };
  const file = $root + name;
  $modules[name](module, module.exports, file, file.slice(0, file.lastIndexOf('/')));
  return module.exports;
}
return $load(${nameOf(entry)});
})`;
}

/** Adds a compiled module, and those that it requires by a relative path. */
function collect(file: string, modules: Map<string, string>): void {
  if (modules.has(file)) return;
  modules.set(file, '');
  const code = withoutComments(readFileSync(file, 'utf8'));
  modules.set(file, code.replace(/\brequire\((["'])(\.[^"']+)\1\)/g, (_call, _quote, relative: string) => {
    const required = require.resolve(path.resolve(path.dirname(file), relative));
    // The role of a worker under a stock primary: it is loaded from its own files.
    if (required.startsWith(child) && !file.startsWith(child)) return `require(${JSON.stringify(`./${path.relative(__dirname, required)}`)})`;
    collect(required, modules);
    return `$load(${nameOf(required)})`;
  }));
}

/** Comments are most of our text, and what makes it more than ASCII: V8 reads it twice as fast without. */
function withoutComments(code: string): string {
  return code.replace(/^ *\/\*[^]*?\*\/$/gm, '').replace(/^ *\/\/.*$/gm, '').replace(/^\n/gm, '')
    .replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function nameOf(file: string): string {
  return JSON.stringify(path.relative(__dirname, file));
}
