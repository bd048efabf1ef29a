// Covers: N-8, Q-2, W-22
// listen on a server that listens already, and close on one that does not; the first listen is not disturbed.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, ask, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    const server = net.createServer((socket) => socket.end('hello'));
    see('self', 'before', server.listening, server.address());
    server.close((error) => see('self', 'closed', error.code));
    const listening = next(server, 'listening');
    server.listen(0, '127.0.0.1');
    await listening;
    for (const where of [[0], ['a.sock'], [{ fd: 50 }], [{ port: 0, exclusive: true }]]) {
      try {
        server.listen(...where);
        see('self', 'no error');
      } catch ({ code }) {
        see('self', 'threw', code);
      }
    }
    see('client', 'got', await ask(server.address().port));
    for (const where of [{}, { port: -1 }, { port: 70_000 }, { fd: -1 }, { path: '' }, 'x'.repeat(200)]) {
      const other = net.createServer();
      other.on('error', ({ code, syscall }) => see('self', 'error', code, syscall));
      try {
        other.listen(where);
      } catch ({ code }) {
        see('self', 'threw', code);
        continue;
      }
      await Promise.race([next(other, 'error'), next(other, 'listening')]);
      see('self', 'listens', other.listening);
    }
    server.close();
    see('self', 'after close', server.listening, server.address());
    await next(server, 'close');
    cluster.worker.disconnect();
  })();
}
