// Covers: R-10, W-7
// The primary disconnects a busy worker to which a connection is on its way: it is served.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, forkListening, next, message, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer((socket) => socket.end('served')).listen(0, '127.0.0.1');
  process.on('message', () => process.send('busy', () => { while (!fs.existsSync('go on')); }));
}

async function primary() {
  const { worker, port } = await forkListening();
  worker.send('be busy');
  await message(worker, (what) => what === 'busy');
  const client = net.connect(port, '127.0.0.1');
  const answer = next(client, 'data');
  await next(client, 'connect');
  await turns();
  const end = gone(worker);
  worker.disconnect();
  fs.writeFileSync('go on', '');
  see('client', 'got', String((await answer)[0]));
  await end;
  see('W1', 'left', worker.exitedAfterDisconnect, worker.process.exitCode);
}
