// Right after worker.kill('SIGKILL') the worker is not dead yet: isDead() says what the system has reported.
// Node 26.10.0 prints: dead false connected true / exit null SIGKILL
// Deno 2.9.6 (2026-11-29) prints: dead true connected false / exit null SIGKILL
'use strict';
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('online', () => {
    worker.process.kill('SIGKILL');
    console.log('dead', worker.isDead(), 'connected', worker.isConnected());
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  setInterval(() => {}, 1000);
}
