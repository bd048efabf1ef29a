// Covers: I-21, I-26
// Objects that are no handles cannot be sent, and their message is not sent either.
'use strict';
const { see, gone, attempt, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

function attempts(subject, target) {
  for (const handle of [{}, 'text', 5, true, [], new Map(), Symbol('s'), Buffer.alloc(1), { _handle: {} }]) {
    attempt(subject, typeof handle, () => target.send('with a handle', handle));
  }
}

if (process.argv[2] === 'child') {
  process.on('message', (what) => {
    see('self', 'got', what);
    process.disconnect();
  });
  attempts('self', process);
  process.send('done');
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    child.on('message', (what) => see('C1', 'got', what));
    const end = gone(child);
    await message(child);
    attempts('C1', child);
    child.send('leave');
    await end;
  })();
}
