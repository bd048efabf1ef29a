// Covers: R-11, W-23, N-10
// The only worker is at its limit: the next client is served as soon as it has room, and 'drop' never comes.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, next, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume().write('hello'));
  server.maxConnections = 1;
  server.on('drop', () => see('self', 'dropped'));
  server.listen(0, '127.0.0.1');
}

async function primary() {
  const { worker, port } = await forkListening();
  const first = net.connect(port, '127.0.0.1');
  await next(first, 'data');
  const second = net.connect(port, '127.0.0.1');
  const served = next(second, 'data');
  await next(second, 'connect');
  const early = await Promise.race([served.then(() => 'served'), turns(100).then(() => 'waits')]);
  see('client', 'second', early);
  first.destroy();
  await served;
  see('client', 'second', 'served');
  second.destroy();
  const end = gone(worker);
  worker.disconnect();
  await end;
}
