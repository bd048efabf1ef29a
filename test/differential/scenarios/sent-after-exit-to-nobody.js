// Covers: C-63, I-22
// A primary that does not listen for 'error' sends without a callback to a worker that has exited (W1), and to one whose
// channel it has closed itself (W2): an uncaught exception.
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, message, next, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    process.on('uncaughtException', (error) => see('main', 'uncaught', error));
    const exited = watchWorker(cluster.fork());
    await message(exited);
    const end = gone(exited);
    process.kill(exited.process.pid, 'SIGKILL');
    await end;
    see('W1', 'gives', exited.send('to nobody'));

    const left = watchWorker(cluster.fork());
    await message(left);
    left.process.disconnect();
    see('W2', 'gives', left.send('to nobody'));
    await next(left, 'exit');
  })();
} else process.send('ready');
