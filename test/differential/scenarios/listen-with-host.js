// Covers: P-3, M-1, M-2, N-4
// listen with hosts of both families, by name, with a backlog and with ipv6Only.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    const ways = [
      [0, '127.0.0.1'], [{ port: 0, host: '127.0.0.1', backlog: 5 }], [0, '::1'], [{ port: 0, host: '::', ipv6Only: true }], [{ port: 0, ipv6Only: true }],
      [0, '127.0.0.1', 7], [0, 'localhost'], ['0'], [{ port: 0, exclusive: false }], [0, '0.0.0.0'], [0, 'no such host.invalid'], [0, '192.0.2.1'],
    ];
    for (const way of ways) {
      const server = net.createServer();
      await new Promise((resolve) => {
        server.on('error', ({ code, syscall, errno, address, port }) => { see('self', 'error', way, code, syscall, errno, address, port); resolve(); });
        server.listen(...way, () => { see('self', 'listening', way, server.address(), server._connectionKey); server.close(resolve); });
      });
    }
    cluster.worker.disconnect();
  })();
}
