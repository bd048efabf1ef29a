// Covers, W-22, N-4
// All workers that listen on port 0 get the same port; what their servers say of their address, on a port of their own as well.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('hello'));
  server.listen(Number(process.env.LISTEN_PORT), () => see('self', 'listening', server.address(), server.listening, server._connectionKey));
  see('self', 'not yet', server.address(), server.listening);
}

async function primary() {
  watchCluster();
  for (const LISTEN_PORT of [0, ownPort()]) {
    const workers = [];
    for (let count = 0; count < 3; count++) workers.push(await forkListening({ LISTEN_PORT }));
    see('main', 'the same port', workers.every(({ port }) => port === workers[0].port));
    see('client', 'got', await ask(workers[0].port));
    for (const { worker } of workers) {
      const end = gone(worker);
      worker.disconnect();
      await end;
    }
  }
  see('client', 'got', await ask(ownPort())); // The other one may be another program's by now.
}
