// Covers: P-22, P-23, W-5, I-55
// worker.process.disconnect() in the primary: the worker ends itself.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, look, lookAtEachEvent, forkListening, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer().listen(0);
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.exitedAfterDisconnect, process.connected));
  process.on('disconnect', () => see('self', "process 'disconnect' is not reached"));
}

async function primary() {
  watchCluster();
  const { worker } = await forkListening();
  lookAtEachEvent(worker);
  const end = gone(worker);
  worker.process.disconnect();
  look(worker, 'after it:');
  await end;
}
