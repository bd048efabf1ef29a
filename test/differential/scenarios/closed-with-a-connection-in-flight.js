//
// The last worker closes its server while a connection is on its way to it.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, forkListening, next, message, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('served')).listen(0, '127.0.0.1');
  process.on('message', () => {
    process.send('busy', () => {
      while (!fs.existsSync('go on'));
      server.close();
      turns().then(() => process.send('closed'));
    });
  });
}

async function primary() {
  const { worker, port } = await forkListening();
  worker.send('be busy');
  await message(worker, (what) => what === 'busy');
  const client = net.connect(port, '127.0.0.1');
  client.on('error', () => {});
  const ended = new Promise((resolve) => client.resume().on('close', () => resolve('closed')));
  await next(client, 'connect');
  await turns();
  fs.writeFileSync('go on', '');
  await message(worker, (what) => what === 'closed');
  see('client', 'connection', await Promise.race([ended, turns(50).then(() => 'hangs')]));
  process.exit(0);
}
