// Covers: I-24
// Callbacks of several messages of one turn among the ticks of the program.
'use strict';
const { see, gone, turns } = require('../observe_fork');
const childProcess = require('node:child_process');

async function order(subject, target) {
  for (const what of ['one', 'two', 'three']) {
    target.send(what, () => see(subject, 'callback', what));
    process.nextTick(() => see(subject, 'tick', what));
  }
  see(subject, 'sent');
  await turns();
}

(process.argv[2] === 'child' ? order('self', process) : (async () => {
  const child = childProcess.fork(__filename, ['child']);
  child.on('message', (value) => see('C1 messages', 'got', value));
  const end = gone(child);
  await order('C1', child);
  await end;
})());
