/**
 * Build step: puts `child/preload.js` and all that it loads into one file, and keeps what V8 makes of
 * it. A worker runs that before its app; finding, reading and compiling sixteen files instead costs
 * it 6 ms of its start.
 *
 * Used by  `npm run build`, after the compiler; child/entry.ts runs what it makes
 * Never    changes the code: each module stays a function of its own, run when it is first required
 */
import type { Cluster } from 'node:cluster';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { clusterObject } from './role';

const cluster = clusterObject(false) as Cluster;
const preload = path.join(__dirname, 'child/preload.js');

if (cluster.isPrimary) {
  writeFileSync(preload.replace(/js$/, 'bundle.js'), bundle(preload));
  cluster.fork();
} else {
  // A worker that listens has run, and so compiled, what every worker runs.
  createServer().listen(0, '127.0.0.1', () => {
    const { script, compiledFile } = require('./child/entry') as typeof import('./child/entry');
    writeFileSync(compiledFile, script.createCachedData());
    cluster.worker?.kill();
  });
}

function bundle(entry: string): string {
  const modules = new Map<string, string>();
  collect(entry, modules);
  const bodies = [...modules].map(([file, code]) => `${nameOf(file)}(module, exports) {\n${code}\n},`);
  return `(function (require, __filename) {
'use strict';
const modules = {
${bodies.join('\n')}
};
const loaded = {};
function load(name) {
  if (loaded[name]) return loaded[name].exports;
  const module = loaded[name] = { exports: {} };
  modules[name](module, module.exports);
  return module.exports;
}
load(${nameOf(entry)});
})`;
}

/** Adds a compiled module, and those that it requires by a relative path. */
function collect(file: string, modules: Map<string, string>): void {
  if (modules.has(file)) return;
  modules.set(file, '');
  const code = withoutComments(readFileSync(file, 'utf8'));
  modules.set(file, code.replace(/\brequire\((["'])(\.[^"']+)\1\)/g, (_call, _quote, relative: string) => {
    const required = require.resolve(path.resolve(path.dirname(file), relative));
    collect(required, modules);
    return `load(${nameOf(required)})`;
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
