// Covers: C-30, P-4, R-6
// A worker is replaced as soon as it exits; ids rise, the port stays, the next connections are served.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, next, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else net.createServer((socket) => { socket.end(`worker ${cluster.worker.id}`, () => { if (process.env.DIES) process.exit(2); }); }).listen(ownPort());

async function primary() {
  watchCluster();
  for (let count = 0; count < 3; count++) {
    const { worker } = await forkListening({ DIES: 1 });
    const end = gone(worker);
    see('client', 'got', await ask(ownPort()));
    await end;
  }
  const { worker } = await forkListening();
  see('client', 'got', await ask(ownPort()));
  see('main', 'table', Object.keys(cluster.workers));
  worker.kill();
  await next(worker, 'exit');
}
