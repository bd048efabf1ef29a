// Covers: P-4, P-5, C-64
// A worker closes the descriptor of its channel behind everybody's back: the primary sees the end, and kills it.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const { see, watchCluster, watchWorker, lookAtEachEvent, next } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.send('up', () => {
    fs.closeSync(process.channel.fd);
    // It can notice nothing, and it does nothing any more that could fail.
    for (;;);
  });
}

async function primary() {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  lookAtEachEvent(worker);
  await next(worker, 'disconnect');
  see('W1', 'sends', worker.send('too late', (error) => see('W1', 'callback', error.code)));
  const exit = next(worker, 'exit');
  worker.kill('SIGKILL');
  await exit;
}
