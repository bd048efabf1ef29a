// Covers: I-1
// `spawn` and `spawnSync` with stdio ipc, which are Node's own, beside `fork`.
'use strict';
const { see, attempt, gone, registered } = require('../observe_fork');
const childProcess = require('node:child_process');

const speaks = `${__dirname}/programs/speaks.js`;

(async () => {
  for (const serialization of [undefined, 'json', 'advanced']) {
    const child = childProcess.spawn(process.execPath, [...(registered ? ['--require', registered] : []), speaks], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], serialization });
    child.on('message', (value) => see('spawned', 'message', value));
    const end = gone(child);
    child.send('hello');
    await end;
  }
  attempt('errors', 'two', () => childProcess.spawn('true', [], { stdio: ['ipc', 'ipc'] }));
  attempt('errors', 'sync', () => childProcess.spawnSync('true', [], { stdio: ['ipc'] }));
  attempt('errors', 'serialization', () => childProcess.spawn('true', [], { serialization: 'x' }));
})();
