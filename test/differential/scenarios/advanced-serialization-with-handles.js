// Covers: C-24, C-26, M-2, S-2, I-15
// serialization 'advanced', assigned to cluster.settings: connections, shared sockets and sent sockets still reach the worker.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const { see, watchCluster, forkListening, next, message, ask, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1', async () => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await next(socket, 'listening');
    process.on('message', ({ big }, sent) => { sent.end(`worker says ${typeof big}`); });
    process.send(new Map([['ready', 1n]]));
  });
}

async function primary() {
  cluster.settings.serialization = 'advanced';
  watchCluster();
  const { worker, port } = await forkListening();
  await message(worker);
  see('client', 'got', await ask(port), await ask(port));
  const server = net.createServer().listen(0, '127.0.0.1');
  await next(server, 'listening');
  const answer = ask(server.address().port);
  const [socket] = await next(server, 'connection');
  worker.send({ big: 5n }, socket);
  see('client', 'got', await answer);
  const end = gone(worker);
  worker.disconnect();
  await end;
  process.exit(0);
}
