// Covers: C-23, C-30, C-35
// In which order 'setup', 'fork' and the process's own 'spawn' come, and what the worker looks like after `fork` and at 'fork'.
'use strict';
const cluster = require('node:cluster');
const { see, look, next } = require('../observe');

if (cluster.isPrimary) {
  cluster.on('setup', () => see('main', "'setup'"));
  cluster.on('fork', (worker) => { see('main', "'fork'", worker); look(worker, "at 'fork':"); });
  cluster.setupPrimary({ args: ['x'] });
  see('main', 'after setupPrimary');
  const { fork } = cluster;
  for (let count = 0; count < 2; count++) {
    const worker = fork();
    look(worker, 'after fork:');
    worker.process.once('spawn', () => see('main', "'spawn'", worker));
    worker.process.once('close', (...values) => see(`W${worker.id}`, "process 'close'", ...values));
    next(worker, 'message').then(() => worker.kill());
  }
  see('main', 'table', Object.keys(cluster.workers));
} else process.send('up');
