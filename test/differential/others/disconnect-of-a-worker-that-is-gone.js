// worker.disconnect() on a worker that has gone already: nothing happens.
// Node 26.10.0 prints: exit 0 / goes on
// Bun 1.4.5 (2026-11-29) prints: exit 0, and exits with 1
'use strict';
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('online', () => worker.disconnect());
  worker.on('exit', (code) => {
    console.log('exit', code);
    worker.disconnect();
    setTimeout(() => console.log('goes on'), 100);
  });
}
