// Covers: N-11, S-1, S-3
// bind({ fd }) of an fd that is no UDP socket in the primary: an error, and the primary keeps its fd.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, watchWorker, next, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork())).then(() => {
    process.stdout.write('the primary still writes\n');
    see('main', 'goes on');
  });
} else {
  (async () => {
    for (const fd of [1, 900]) {
      const socket = dgram.createSocket('udp4').bind({ fd });
      const [error] = await Promise.race([next(socket, 'error'), next(socket, 'listening')]);
      see('self', 'error', error?.code, error?.syscall);
      socket.close();
    }
    cluster.worker.disconnect();
  })();
}
