// Covers: I-30
// An exception in one listener leaves the other messages alone: each has a tick of its own.
'use strict';
const { see, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

function hear(subject, target, last) {
  process.on('uncaughtException', (error) => see(subject, 'uncaught', error.message));
  target.on('message', (value) => {
    see(subject, 'got', value);
    process.nextTick(() => see(subject, 'tick after', value));
    Promise.resolve().then(() => see(subject, 'promise after', value));
    if (value === 4) last();
    if (value % 2 === 0) throw new Error(`at ${value}`);
  });
  target.on('message', (value) => see(subject, 'second listener', value));
}

if (process.argv[2] === 'child') {
  hear('self', process, () => process.disconnect());
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    // All of them are there before it reads.
    for (let value = 0; value < 5; value++) child.send(value);
    await end;
  })();
}
