// Covers: P-6, R-8, I-45
// A busy worker is killed while a connection is on its way to it; another worker is there.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, next, ask, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer((socket) => socket.end(`worker ${cluster.worker.id}`)).listen(0, '127.0.0.1');
  process.on('message', () => process.send('busy', () => { for (;;); }));
}

async function primary() {
  const { worker, port } = await forkListening();
  worker.send('be busy');
  await next(worker, 'message');
  const client = net.connect(port, '127.0.0.1');
  client.on('error', () => {});
  const first = new Promise((resolve) => client.on('data', (data) => resolve(String(data))));
  await next(client, 'connect');
  await turns();
  await forkListening();
  const exit = next(worker, 'exit');
  worker.kill('SIGKILL');
  await exit;
  await turns();
  see('W1', 'state', worker.state);
  see('client', 'later one', await ask(port));
  see('client', 'first one', await Promise.race([first, turns(50).then(() => 'hangs')]));
  process.exit(0);
}
