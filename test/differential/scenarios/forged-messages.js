// Covers: P-30, P-33, W-2, M-3
// Cluster messages that make no sense, from the worker: the primary goes on, and so does the worker.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { watchCluster, watchWorker, message, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    watchCluster();
    const worker = watchWorker(cluster.fork());
    await message(worker, (what) => what === 'still here');
    worker.process.send({ cmd: 'NODE_CLUSTER', act: 'unknown' });
    worker.process.send({ cmd: 'NODE_OTHER', act: 'disconnect' });
    const end = gone(worker);
    worker.send('leave');
    await end;
  })();
} else {
  process.on('message', () => cluster.worker.disconnect());
  for (const forged of [{ act: 'unknown' }, {}, { act: 'close', key: 'unknown' }]) process.send({ cmd: 'NODE_CLUSTER', ...forged });
  process.send({ cmd: 'NODE_SOMETHING' });
  net.createServer().listen(0, () => process.send('still here'));
}
