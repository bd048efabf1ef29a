// Covers: N-10, R-5, I-54
// getConnections in a worker counts what this worker serves, and close waits for it.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, message, next, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume().write('hello')).listen(0, '127.0.0.1');
  process.on('message', (what) => {
    if (what === 'count') server.getConnections((error, count) => process.send(count));
    if (what === 'close') {
      server.close(() => server.getConnections((error, count) => process.send(['closed', count])));
      process.send('closing');
    }
  });
}

async function primary() {
  const workers = [await forkListening(), await forkListening()];
  const counts = async () => {
    const result = [];
    for (const { worker } of workers) {
      const told = message(worker);
      worker.send('count');
      result.push((await told)[0]);
    }
    return result;
  };
  see('main', 'at first', await counts());
  const clients = [];
  for (let count = 0; count < 4; count++) {
    const client = net.connect(workers[0].port, '127.0.0.1');
    await next(client, 'data');
    clients.push(client);
    await turns();
  }
  see('main', 'four clients', (await counts()).reduce((sum, one) => sum + one));
  for (const { worker } of workers) {
    const told = message(worker);
    worker.send('close');
    await told;
  }
  const closed = workers.map(({ worker }) => message(worker));
  for (const client of clients) client.destroy();
  for (const [result] of await Promise.all(closed)) see('main', 'closed', result);
  for (const { worker } of workers) {
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
