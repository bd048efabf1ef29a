// Covers, S-4, N-7
// SCHED_NONE: a worker opens a second server on the port of its first one. The second gets an 'error', and the first still serves.
// Dies on 22, 24, 26: W1 of ERR_INTERNAL_ASSERTION
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone, ownPort, ask } = require('../observe');

if (cluster.isPrimary) {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    const first = net.createServer((socket) => socket.end('first')).listen(ownPort(), '127.0.0.1');
    await next(first, 'listening');
    const second = net.createServer().listen(ownPort(), '127.0.0.1');
    const [{ code }] = await next(second, 'error');
    see('self', 'second', code);
    see('client', 'got', await ask(ownPort()));
    cluster.worker.disconnect();
  })();
}
