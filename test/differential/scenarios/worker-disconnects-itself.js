// Covers: W-6, W-10, P-22, P-23
// cluster.worker.disconnect() in the worker, twice.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, directionsApart, lookAtEachEvent, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  directionsApart();
  watchCluster();
  const worker = watchWorker(cluster.fork());
  lookAtEachEvent(worker);
  gone(worker);
} else {
  const { worker } = cluster;
  const servers = [net.createServer(), net.createServer()];
  servers.forEach((server, at) => server.on('close', () => see('self', `server ${at} closed`, worker.state, process.connected)));
  worker.on('disconnect', () => see('self', "worker 'disconnect'", worker.state, worker.exitedAfterDisconnect, process.connected));
  process.on('disconnect', () => see('self', "process 'disconnect'"));
  servers[0].listen(0, () => servers[1].listen(0, () => {
    see('self', 'gave', worker.disconnect() === worker, worker.state, worker.exitedAfterDisconnect, worker.isConnected());
    see('self', 'again', worker.disconnect() === worker, worker.state);
  }));
}
