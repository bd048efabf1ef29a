//
// A second TCP server of one worker on the same port, and on another address of that port.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, gone, ownPort } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    for (const host of ['127.0.0.1', '127.0.0.1', '127.0.0.2', '0.0.0.0']) {
      const server = net.createServer();
      await new Promise((resolve) => {
        server.on('error', (error) => { see('self', 'error', host, error); resolve(); });
        server.listen(ownPort(), host, () => { see('self', 'listening', server.address()); resolve(); });
      });
    }
    cluster.worker.disconnect();
  })();
}
