// Covers: N-3, N-13
// Where Node has them: dgram.bindSync and a net.BoundSocket bind in the worker, without its primary.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, ask, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    see('self', 'knows', typeof net.BoundSocket, typeof net._setSimultaneousAccepts, typeof dgram.Socket.prototype.bindSync);
    if (typeof dgram.Socket.prototype.bindSync === 'function') {
      const socket = dgram.createSocket('udp4');
      socket.bindSync({ port: 0, address: '127.0.0.1' });
      see('self', 'bound', socket.address().address);
      socket.close();
    }
    if (typeof net.BoundSocket === 'function') {
      const bound = new net.BoundSocket({ port: 0, host: '127.0.0.1' });
      const server = net.createServer((socket) => socket.end('hello')).listen(bound);
      await next(server, 'listening');
      see('client', 'got', await ask(server.address().port), cluster.worker.state);
      server.close();
    }
    cluster.worker.disconnect();
  })();
}
