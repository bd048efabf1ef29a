// Covers: N-4, N-5, R-2, M-1
// ipv6Only with and without a host: whom the port answers. On ports of its own: one that the kernel
// gives for IPv6 alone may be another program's for IPv4, which then answers.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, next, gone, ownPort } = require('../observe');

const ways = [{}, { ipv6Only: true }, { host: '::' }, { host: '::', ipv6Only: true }, { host: '127.0.0.1', ipv6Only: true }];
if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('hello'));
  server.listen({ port: ownPort(Number(process.env.WAY)), ...ways[process.env.WAY] }, () => see('self', 'listening', server.address(), server._connectionKey));
}

async function primary() {
  watchCluster();
  for (const WAY of ways.keys()) {
    const { worker, port } = await forkListening({ WAY });
    for (const host of ['127.0.0.1', '::1']) {
      const socket = net.connect(port, host);
      const result = await Promise.race([next(socket, 'error').then(([error]) => error.code), next(socket, 'data').then(([data]) => String(data))]);
      see('client', 'from', host, result);
      socket.destroy();
    }
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
