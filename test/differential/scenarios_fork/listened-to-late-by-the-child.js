// Covers: I-31
// In a child too, messages wait for the first listener.
'use strict';
const { see, watch, gone, turns } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.stdin.once('data', async () => {
    await turns();
    see('self', 'listens');
    process.on('message', (value) => {
      see('self', 'got', value);
      if (value === 3) setImmediate(() => process.disconnect());
    });
    process.on('disconnect', () => process.stdin.destroy());
  });
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child'], { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] }));
    for (const value of [1, 2, 3]) await new Promise((resolve) => child.send(value, resolve));
    child.stdin.write('sent');
    await gone(child);
  })();
}
