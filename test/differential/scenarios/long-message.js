// Covers: I-11
// A message of a worker that is longer than `limits.messageBytes`: Node has no limit, and takes it.
'use strict';
const cluster = require('node:cluster');
const { see, gone } = require('../observe');

if (cluster.isPrimary) {
  cluster.setupPrimary({ limits: { messageBytes: 1 << 20 } });
  const worker = cluster.fork();
  const end = gone(worker);
  worker.on('error', (error) => see('W1', 'error', error.code));
  worker.on('message', (text) => {
    see('W1', 'message of', text.length);
    worker.process.disconnect();
  });
  end.then(() => see('main', 'table', Object.keys(cluster.workers)));
} else process.send('x'.repeat(2 << 20));
