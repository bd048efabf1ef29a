// Covers: P-20, W-7
// The primary disconnects a worker twice in one tick; both messages are there before the worker reads.
// Dies: W1 of ERR_IPC_DISCONNECTED
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const { see, watchCluster, watchWorker, look, next, gone, turns } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    watchCluster();
    const worker = watchWorker(cluster.fork());
    await next(worker, 'online');
    const end = gone(worker);
    for (let count = 0; count < 2; count++) see('W1', 'gives', worker.disconnect() === worker);
    look(worker, 'after it:');
    await turns();
    fs.writeFileSync('go on', '');
    await end;
    look(worker, 'at the end:');
  })();
} else while (!fs.existsSync('go on'));
