// Covers: I-24
// When the callback of a message comes: never at once, and before the next turn.
'use strict';
const { see, gone, turns } = require('../observe_fork');
const childProcess = require('node:child_process');

async function order(subject, target) {
  setImmediate(() => see(subject, 'immediate'));
  process.nextTick(() => see(subject, 'tick before'));
  Promise.resolve().then(() => see(subject, 'promise'));
  target.send('one', () => see(subject, 'callback one'));
  process.nextTick(() => see(subject, 'tick after'));
  see(subject, 'sent');
  await turns();
}

if (process.argv[2] === 'child') {
  process.once('message', () => order('self', process));
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    await order('C1', child);
    await end;
  })();
}
