// Covers: W-24, I-21
// A worker sends its server, which has no socket of its own, to the primary.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  const server = net.createServer().listen(0, () => {
    try {
      see('self', 'gave', process.send('my server', server));
    } catch (error) {
      see('self', 'threw', error.name, error.code);
    }
    cluster.worker.disconnect();
  });
}
