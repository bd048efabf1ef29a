// Covers: N-7, P-5
// A listen error that nobody listens for ends the worker, not the primary.
// Dies: W1 of EADDRINUSE
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { watchCluster, watchWorker, next, gone, ownPort } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    watchCluster();
    const blocker = net.createServer().listen(ownPort());
    await next(blocker, 'listening');
    await gone(watchWorker(cluster.fork()));
    blocker.close();
  })();
} else net.createServer().listen(ownPort());
