// Covers: I-1
// 9: neither `fork` nor `spawn` takes a property of Object.prototype for an option, be it one of Node's or one of ours.
'use strict';
const { see, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

const speaks = `${__dirname}/programs/speaks.js`;
const names = {
  execPath: '/bin/false', execArgv: ['--no-such-flag'], shell: '/bin/false', env: { PATH: '' }, stdio: 'ignore', silent: true, cwd: '/no/such', argv0: 'x', file: '/bin/false', args: [], envPairs: ['A=a'],
  uid: 1, gid: 1, detached: true, serialization: 'advanced', timeout: 1, signal: AbortSignal.abort(), killSignal: 'SIGKILL', windowsHide: true,
  dialect: 'node', limits: { messageBytes: 1, unreadBytes: 1 }, name: 'x', keepOpen: true, swallowErrors: true,
};

(async () => {
  await Promise.all(Object.entries(names).map(async ([name, value]) => {
    const ways = { fork: () => childProcess.fork(speaks), spawn: () => childProcess.spawn(process.execPath, [speaks], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }) };
    // Node's `fork` calls its `spawn`, so one of them is enough for each name: they alternate from name to name.
    for (const way of [Object.keys(ways)[Object.keys(names).indexOf(name) % 2]]) {
      Object.prototype[name] = value;
      let child;
      try {
        child = ways[way]();
      } catch (error) {
        see(`${way} ${name}`, 'threw', error);
      }
      delete Object.prototype[name];
      if (!child) continue;
      child.on('error', (error) => see(`${way} ${name}`, 'error', error));
      child.on('message', (text) => see(`${way} ${name}`, 'message', text));
      const end = gone(child);
      if (child.connected) child.send('hello', () => {});
      await end;
      see(`${way} ${name}`, 'ended', child.exitCode, child.signalCode);
    }
  }));
})();
