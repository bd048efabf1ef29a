// Covers: S-4, N-7, W-6
// SCHED_NONE: that a port is taken shows only in the worker, which then disconnects.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer().listen(ownPort());
  server.on('error', (error) => { see('self', 'error', error); process.send('failed'); });
  server.on('close', () => see('self', 'server closed'));
}

async function primary() {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  watchCluster();
  const blocker = net.createServer().listen(ownPort());
  await next(blocker, 'listening');
  const worker = watchWorker(cluster.fork());
  await message(worker);
  blocker.close();
  const end = gone(worker);
  worker.disconnect();
  await end;
}
