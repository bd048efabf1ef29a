// Covers: W-9, P-22, P-23
// cluster.worker.kill() in the worker: the primary is asked first, the signal is ignored.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, lookAtEachEvent, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const { worker } = cluster;
  const method = process.env.METHOD;
  const server = net.createServer().on('close', () => see('self', 'server closed'));
  worker.on('disconnect', () => see('self', "worker 'disconnect'", worker.state, worker.exitedAfterDisconnect));
  process.on('disconnect', () => see('self', "process 'disconnect'"));
  server.listen(0, () => {
    see('self', 'gave', worker[method]('SIGKILL'), worker.state, worker.exitedAfterDisconnect, worker.isConnected());
    see('self', 'again', worker[method](), worker.state);
  });
}

async function primary() {
  watchCluster();
  for (const METHOD of ['kill', 'destroy']) {
    const worker = watchWorker(cluster.fork({ METHOD }));
    lookAtEachEvent(worker);
    await gone(worker);
  }
}
