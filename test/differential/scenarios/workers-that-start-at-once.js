// Covers: C-30, R-3, P-7, C-41
// Workers forked in one tick listen at once, on one port that is free and on one that is not; then all leave at once.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone, ask, ownPort, endsApart } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const taken = net.createServer().listen(ownPort(1));
  taken.on('error', ({ code }) => {
    see('self', 'error', code);
    net.createServer((socket) => socket.end('hello')).listen(ownPort(), () => see('self', 'listening'));
  });
}

async function primary() {
  const blocker = net.createServer().listen(ownPort(1));
  await next(blocker, 'listening');
  watchCluster();
  const workers = Array.from({ length: 4 }, () => watchWorker(cluster.fork()));
  see('main', 'ids', workers.map(({ id }) => id), Object.keys(cluster.workers));
  await Promise.all(workers.map((worker) => next(worker, 'listening')));
  endsApart();
  const ends = workers.map(gone);
  cluster.disconnect(() => see('main', 'callback', Object.keys(cluster.workers)));
  await Promise.all(ends);
  see('client', 'got', await ask(ownPort()));
  blocker.close();
}
