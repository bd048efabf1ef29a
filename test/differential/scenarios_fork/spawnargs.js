// Covers: I-1
// `spawnfile` and `spawnargs` name what the program has asked for.
'use strict';
const { see, gone, withoutRegister } = require('../observe_fork');
const childProcess = require('node:child_process');

const speaks = `${__dirname}/programs/speaks.js`;

(async () => {
  for (const [args, options] of [[[], {}], [['a', 'b c'], { execArgv: ['--no-warnings'] }], [[5, true], { argv0: 'name' }], [[], { execArgv: [] }], [['--require', 'x'], {}]]) {
    const child = childProcess.fork(speaks, args, { ...options, silent: true });
    const end = gone(child);
    see('C', 'asked for', child.spawnfile === process.execPath, withoutRegister(child.spawnargs).map((arg) => (arg === process.execPath ? 'node' : arg)));
    see('C', 'is', child.constructor.name, child instanceof childProcess.ChildProcess, child.exitCode, child.signalCode, child.killed);
    child.send('hello');
    await end;
  }
})();
