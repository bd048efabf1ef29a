//
// One worker binds two UDP sockets with reuseAddr to one port.
// Dies on 22, 24, 26: W1 of ERR_INTERNAL_ASSERTION
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, watchWorker, next, gone, ownPort } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    for (const name of ['first', 'second']) {
      const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true }).bind(ownPort(), '127.0.0.1');
      await next(socket, 'listening');
      see('self', name, 'listens');
    }
    cluster.worker.disconnect();
  })();
}
