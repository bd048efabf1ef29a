// Covers: N-8, W-25
// A server is closed before the primary has answered that the port is taken.
// Dies: W1 of reading 'close'
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone, ownPort, directionsApart } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    directionsApart();
    watchCluster();
    const blocker = net.createServer().listen(ownPort());
    await next(blocker, 'listening');
    const worker = watchWorker(cluster.fork());
    // Under Node's the worker may have died of the first answer when the second one is written (D18).
    worker.on('error', () => {});
    await gone(worker);
    blocker.close();
  })();
} else {
  const server = net.createServer().listen(ownPort());
  server.on('error', (error) => see('self', 'error', error.code));
  server.close((error) => see('self', 'closed', error?.code));
  const other = net.createServer().listen(0, () => {
    see('self', 'goes on');
    cluster.worker.disconnect();
  });
  other.on('close', () => see('self', 'other closed'));
}
