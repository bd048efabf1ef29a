// Covers: W-5
// The primary exits with 3 while its workers run.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    await forkListening();
    await forkListening();
    process.exit(3);
  })();
} else {
  net.createServer().listen(0);
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.exitedAfterDisconnect));
}
