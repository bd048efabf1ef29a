// Covers: W-5
// The primary dies of SIGKILL: its workers notice and exit with 0.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    await forkListening();
    await forkListening();
    process.kill(process.pid, 'SIGKILL');
  })();
} else {
  net.createServer().listen(0);
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.exitedAfterDisconnect, cluster.worker.isConnected()));
}
