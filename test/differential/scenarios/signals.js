// Covers: P-4, P-5, P-21, P-22
// Workers that die of signals of each class, that catch one, and that spin when it comes.
'use strict';
const cluster = require('node:cluster');
const { watchCluster, watchWorker, look, message, gone } = require('../observe');

const signals = ['SIGHUP', 'SIGINT', 'SIGUSR2', 'SIGALRM', 'SIGTERM', 'SIGPIPE', 'SIGKILL'];
if (cluster.isPrimary) primary();
else {
  const way = process.env.WAY;
  // The ignored one is told, and then the worker exits by itself.
  if (way === 'SIGPIPE') process.on('SIGPIPE', () => process.exit(3));
  if (way === 'catches') process.on('SIGTERM', (signal) => { process.send(signal, () => cluster.worker.disconnect()); });
  process.send('up', () => { if (way === 'spins') for (;;); });
}

async function primary() {
  watchCluster();
  for (const WAY of [...signals, 'catches', 'spins']) {
    const worker = watchWorker(cluster.fork({ WAY }));
    await message(worker);
    const end = gone(worker);
    worker.kill(signals.includes(WAY) ? WAY : 'SIGTERM');
    await end;
    look(worker, 'at the end:');
  }
}
