// Covers, P-20
// One of two workers closes its server, the other serves on; then the last one goes.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, message, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end(`worker ${cluster.worker.id}`)).listen(ownPort());
  process.on('message', () => server.close(() => process.send('closed')));
}

async function primary() {
  watchCluster();
  const workers = [await forkListening(), await forkListening()];
  const [{ port }] = workers;
  see('client', 'both', [await ask(port), await ask(port)].sort());
  workers[0].worker.send('close');
  await message(workers[0].worker);
  see('client', 'one', await ask(port), await ask(port), await ask(port));
  const end = gone(workers[1].worker);
  workers[1].worker.kill();
  await end;
  see('client', 'none', await ask(port));
  const last = gone(workers[0].worker);
  workers[0].worker.disconnect();
  await last;
}
