// Covers: R-11, W-23
// A worker at its limit refuses, and the connection goes to the other one.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, next } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => { socket.on('error', () => {}); socket.resume().write(String(cluster.worker.id)); });
  server.maxConnections = 1;
  server.listen(0);
}

async function primary() {
  const workers = [await forkListening(), await forkListening()];
  const [{ port }] = workers;
  const served = [];
  for (let count = 0; count < 2; count++) {
    const socket = net.connect(port, '127.0.0.1');
    const [data] = await next(socket, 'data');
    served.push({ socket, by: String(data) });
  }
  see('client', 'two at once', served.map(({ by }) => by).sort());
  const third = net.connect(port, '127.0.0.1');
  const answer = next(third, 'data');
  served[0].socket.destroy();
  see('client', 'third by the one with room', String((await answer)[0]) === served[0].by);
  third.destroy();
  served[1].socket.destroy();
  cluster.disconnect();
}
