// Covers: I-21, I-26
// Handles that cannot be sent, from the primary and from the worker.
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, message, gone } = require('../observe');

function attempts(subject, target) {
  for (const handle of [{}, 'text', 5, true, [], new Map(), Symbol('s')]) {
    try {
      see(subject, 'gave', target.send('with a handle', handle));
    } catch (error) {
      see(subject, 'threw', error.name, error.code, error.message);
    }
  }
}
if (cluster.isPrimary) {
  (async () => {
    const worker = watchWorker(cluster.fork());
    await message(worker, (what) => what === 'done');
    attempts('W1', worker);
    const end = gone(worker);
    worker.send('leave');
    await end;
  })();
} else {
  process.on('message', (what) => { see('self', 'got', what); if (what === 'leave') process.disconnect(); });
  attempts('self', process);
  process.send('done');
}
