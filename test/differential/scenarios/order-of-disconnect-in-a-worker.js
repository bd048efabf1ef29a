// Covers: W-5, W-3, C-51
// Who in the worker hears of the end of the channel, in which order, and who does not any more.
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, gone, next } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    for (const WAY of ['expected', 'unexpected']) {
      const worker = watchWorker(cluster.fork({ WAY }));
      const end = gone(worker);
      if (WAY === 'unexpected') {
        await next(worker, 'message');
        worker.process.disconnect();
      }
      await end;
    }
  })();
} else {
  const tell = (who) => () => {
    see('self', who, cluster.worker.exitedAfterDisconnect, process.connected, process.channel);
    process.nextTick(() => see('self', who, 'next tick'));
  };
  process.prependListener('disconnect', tell('process, prepended'));
  process.on('disconnect', tell('process'));
  cluster.worker.on('disconnect', tell('worker'));
  cluster.worker.prependListener('disconnect', tell('worker, prepended'));
  cluster.on('disconnect', tell('cluster'));
  process.on('exit', () => see('self', 'beforehand', process.connected));
  if (process.env.WAY === 'expected') {
    cluster.worker.disconnect();
    see('self', 'not yet', process.connected);
  } else process.send('ready');
}
