// Covers: Q-7, P-20
// A worker asks to listen when the primary has told it to leave already: it gets no answer.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, lookAtEachEvent, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  lookAtEachEvent(worker);
  worker.once('online', () => worker.disconnect());
  gone(worker);
} else {
  const server = net.createServer().listen(0, () => see('self', 'never'));
  process.on('disconnect', () => see('self', "process 'disconnect'", server.listening));
}
