// Covers: P-31
// A worker sends `act: 'hasOwnProperty'`.
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  process.on('uncaughtExceptionMonitor', (error) => see('main', 'uncaught', error.name));
  gone(watchWorker(cluster.fork()));
} else {
  process.send({ cmd: 'NODE_CLUSTER', act: 'hasOwnProperty' });
  process.send({ cmd: 'NODE_CLUSTER', ack: 99 });
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'"));
  process.send('still here', () => cluster.worker.disconnect());
}
