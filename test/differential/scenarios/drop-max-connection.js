// Covers: R-11, W-23, N-10
// dropMaxConnection and a limit of 0: up to Node 20 unknown and no limit, later the worker drops.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('served'));
  server.maxConnections = 0;
  server.dropMaxConnection = true;
  server.on('drop', () => see('self', 'dropped'));
  server.listen(0);
}

async function primary() {
  const { worker, port } = await forkListening();
  see('client', 'got', await ask(port));
  const end = gone(worker);
  worker.disconnect();
  await end;
}
