// Covers: R-14, N-3, N-5
// reusePort, where Node knows it: two workers bind one port by themselves, for TCP and for UDP, and the primary is not asked.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, ownPort } = require('../observe');

const known = Number(process.versions.node.split('.')[0]) >= 22;
if (cluster.isPrimary) primary();
else {
  (async () => {
    const server = net.createServer().listen({ port: ownPort(), host: '127.0.0.1', reusePort: true });
    await next(server, 'listening');
    const socket = dgram.createSocket({ type: 'udp4', reusePort: true }).bind(ownPort(1), '127.0.0.1');
    await next(socket, 'listening');
    see('self', 'handles', server._handle.constructor.name === 'TCP', cluster.worker.state);
    process.on('message', () => {
      cluster.worker.disconnect();
      process.on('disconnect', () => {
        see('self', 'listens', server.listening);
        if (known) { server.close(); socket.close(); }
      });
    });
    process.send('listens');
  })();
}

async function primary() {
  watchCluster();
  const workers = [];
  for (let count = 0; count < 2; count++) {
    const worker = watchWorker(cluster.fork());
    await message(worker);
    workers.push(worker);
  }
  for (const worker of workers) {
    const end = gone(worker);
    worker.send('leave');
    await end;
  }
}
