// Covers: P-20, W-7
// The primary disconnects a worker twice in one tick.
'use strict';
const cluster = require('node:cluster');
const { see, watchCluster, watchWorker, look, next, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    watchCluster();
    const worker = watchWorker(cluster.fork());
    await next(worker, 'online');
    const end = gone(worker);
    for (let count = 0; count < 2; count++) see('W1', 'gives', worker.disconnect() === worker);
    look(worker, 'after it:');
    await end;
    look(worker, 'at the end:');
  })();
}
