// Covers: P-2, P-3, C-23, C-30, P-20, P-23
// Every event of a worker's life, on the worker and on the cluster, with its arguments.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, look, next, gone } = require('../observe');

if (cluster.isPrimary) primary();
else net.createServer((socket) => socket.end('hello')).listen(0);

async function primary() {
  watchCluster();
  cluster.on('setup', (settings) => see('main', "cluster 'setup'", settings === cluster.settings));
  const worker = watchWorker(cluster.fork());
  look(worker, 'after fork:');
  see('main', 'fork gave', worker);
  await next(worker, 'listening');
  const end = gone(worker);
  see('W1', 'disconnect gave', worker.disconnect() === worker);
  look(worker, 'after disconnect():');
  await end;
  look(worker, 'at the end:');
}
