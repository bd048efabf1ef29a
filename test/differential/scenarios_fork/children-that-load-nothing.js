// Covers: I-1
// E9, E13: flags that keep a preload from a child, or that no preload may come in the way of: it has its channel all the same.
// Node's channel: C2, C3, C4
'use strict';
const { see, gone, attempt, withoutRegister } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

const [major] = process.versions.node.split('.').map(Number);
if (process.argv[2] === 'child') {
  const atStart = typeof process.send;
  process.on('message', (message) => process.send([message, atStart, withoutRegister(process.execArgv), process.env.NODE_OPTIONS, process.permission?.has('fs.write')], () => process.disconnect()));
} else {
  fs.writeFileSync('sends.cjs', 'process.send?.(["preloaded", typeof process.channel])');
  const permission = [major < 24 ? '--experimental-permission' : '--permission', '--allow-fs-read=*', `--allow-fs-write=${process.env.DIFF_TRACE}/*`];
  const preloads = ['--require', `${process.cwd()}/sends.cjs`];
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const children = {
    'no environment': { env: { DIFF_TRACE: env.DIFF_TRACE } }, permission: { execArgv: permission }, 'permission in NODE_OPTIONS': { execArgv: [], env: { ...env, NODE_OPTIONS: permission.join(' ') } },
    'permission with underscores': { execArgv: permission.map((flag) => flag.replace('experimental-', 'experimental_')) },
    preloads: { execArgv: preloads }, 'preloads in NODE_OPTIONS': { execArgv: [], env: { ...env, NODE_OPTIONS: preloads.join(' ') } }, 'both': { execArgv: ['--no-warnings', ...preloads], env: { ...env, NODE_OPTIONS: '--no-deprecation' } },
    'many flags': { execArgv: ['--disable-proto=throw', '--frozen-intrinsics', '--disallow-code-generation-from-strings', '--jitless', '--throw-deprecation', ...(major < 24 ? ['--experimental-default-type=module'] : ['--no-experimental-require-module'])] },
  };
  (async () => {
    const names = Object.keys(children);
    for (let at = 0; at < names.length; at += 6) {
      await Promise.all(names.slice(at, at + 6).map(async (name) => {
        const child = attempt(name, 'fork', () => childProcess.fork(__filename, ['child'], { ...children[name], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }));
        child.on('message', (value) => see(name, 'message', value));
        const end = gone(child);
        child.send('hello', () => {});
        await end;
        see(name, 'ended', child.exitCode);
      }));
    }
  })();
}
