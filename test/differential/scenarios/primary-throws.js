// Covers: W-5, P-23
// Dies: P of on purpose
// A primary that dies of an exception: each worker is told by the end of its channel, and goes.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next } = require('../observe');

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  Promise.all(workers.map((worker) => next(worker, 'listening'))).then(() => setImmediate(() => { throw new Error('on purpose'); }));
} else {
  net.createServer().listen(0);
  process.on('disconnect', () => see('self', 'disconnected', cluster.worker.exitedAfterDisconnect, cluster.worker.isConnected()));
}
