// AsyncLocalStorage: the events of a worker come in the context in which it was forked.
// Node 26.10.0 prints: of the fork
// Bun 1.4.5 (2026-11-29) prints: undefined
'use strict';
const { AsyncLocalStorage } = require('node:async_hooks');
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const storage = new AsyncLocalStorage();
  const worker = storage.run('of the fork', () => cluster.fork());
  worker.on('online', () => {
    console.log(storage.getStore());
    worker.process.kill('SIGKILL');
  });
}
