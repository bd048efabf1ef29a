// Covers: M-2, N-7, Q-4, Q-10, R-3
// EADDRINUSE in two workers, and that the same address works when it has become free.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const listen = () => {
    const server = net.createServer((socket) => socket.end('hello'));
    server.on('error', (error) => {
      see('self', 'error', error, server.listening, server.address());
      process.send('failed');
    });
    server.listen(ownPort(), process.env.HOST || undefined, () => see('self', 'listening', server.address()));
  };
  process.on('message', listen);
  listen();
}

async function primary() {
  watchCluster();
  for (const HOST of ['', '127.0.0.1']) {
    const blocker = net.createServer().listen(ownPort());
    await next(blocker, 'listening');
    const workers = [];
    for (let count = 0; count < 2; count++) {
      const worker = watchWorker(cluster.fork({ HOST }));
      workers.push(worker);
      await message(worker);
    }
    await next(blocker.close(), 'close');
    for (const worker of workers) {
      worker.send('again');
      await next(worker, 'listening');
    }
    see('client', 'got', await ask(ownPort()));
    for (const worker of workers) {
      const end = gone(worker);
      worker.disconnect();
      await end;
    }
  }
}
