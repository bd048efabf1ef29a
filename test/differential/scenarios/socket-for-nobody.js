// Covers: I-26
// A socket that a worker sends to a primary in which nobody listens to 'message': its client.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer((socket) => {
    process.send('take it', socket, () => process.disconnect());
  }).listen(0, '127.0.0.1');
}

async function primary() {
  const worker = cluster.fork();
  const { port } = await new Promise((resolve) => worker.once('listening', resolve));
  const end = gone(worker);
  let closed = false;
  const client = net.connect(port, '127.0.0.1').resume().on('close', () => { closed = true; });
  await end;
  await turns(50);
  see('client', 'closed', closed);
  client.destroy();
}
