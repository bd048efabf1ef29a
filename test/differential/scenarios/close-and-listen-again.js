// Covers: W-21, Q-2, R-7, P-33
// A server closes and listens again, on the same object and the same port; the worker goes on.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('hello'));
  const listen = () => server.listen(ownPort(), () => see('self', 'listening', server.address(), server.listening));
  process.on('message', (what) => {
    if (what === 'listen') return listen();
    server.close((error) => { see('self', 'closed', error, server.address(), server.listening); process.send('closed'); });
    see('self', 'closing', server.listening);
  });
  listen();
}

async function primary() {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  await next(worker, 'listening');
  for (let count = 0; count < 2; count++) {
    see('client', 'open', await ask(ownPort()));
    worker.send('close');
    await message(worker);
    see('client', 'closed', await ask(ownPort()));
    worker.send('listen');
    await next(worker, 'listening');
  }
  const end = gone(worker);
  worker.disconnect();
  await end;
}
