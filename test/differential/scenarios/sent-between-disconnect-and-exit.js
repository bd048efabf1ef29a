// Covers: C-63, P-5
// A primary sends to a worker that was killed, after its 'disconnect' and before its 'exit': with a callback, without one
// while it listens for 'error', and without either.
// Dies: P of ERR_IPC_CHANNEL_CLOSED
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, message, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    const heard = (error) => see('W1', "'error'", error);
    const worker = watchWorker(cluster.fork());
    await message(worker);
    const end = gone(worker);
    worker.once('disconnect', () => {
      see('W1', 'is in the table', worker.id in cluster.workers, worker.isConnected(), worker.isDead());
      see('W1', 'gives', worker.send('with a callback', (error) => see('W1', 'callback', error)));
      worker.on('error', heard);
      see('W1', 'gives', worker.send('to a listener'));
      // In a later tick: the errors of both come before.
      process.nextTick(() => {
        worker.off('error', heard);
        see('W1', 'gives', worker.send('to nobody'));
      });
    });
    process.kill(worker.process.pid, 'SIGKILL');
    await end;
    see('main', 'goes on');
  })();
} else process.send('ready');
