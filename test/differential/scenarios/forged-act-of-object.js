// Covers: P-31
// A worker sends `act: 'hasOwnProperty'`.
// Dies: P of Cannot convert undefined or null to object
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  process.on('uncaughtExceptionMonitor', (error) => see('main', 'uncaught', error.name));
  const worker = watchWorker(cluster.fork());
  gone(worker);
  worker.process.on('internalMessage', ({ act }) => {
    if (act === 'hasOwnProperty') setImmediate(() => worker.send('still here'));
  });
} else {
  // It sends nothing else: a primary that dies of it must not be written to.
  process.send({ cmd: 'NODE_CLUSTER', act: 'hasOwnProperty' });
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'"));
  process.on('message', () => cluster.worker.disconnect());
}
