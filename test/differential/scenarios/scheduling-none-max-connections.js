// Covers: R-11, N-10, W-30
// SCHED_NONE: a worker at its limit accepts by itself, drops what is too much, and tells of it.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, next, ask, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume().write('hello'));
  server.maxConnections = 1;
  server.on('drop', ({ localAddress, remoteFamily }) => see('self', 'dropped', localAddress, remoteFamily));
  server.listen(0, '127.0.0.1');
}

async function primary() {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  watchCluster();
  const { worker, port } = await forkListening();
  const first = net.connect(port, '127.0.0.1');
  await next(first, 'data');
  see('client', 'second', await ask(port));
  first.destroy();
  const end = gone(worker);
  worker.disconnect();
  await end;
}
