// Covers: C-1, C-6, C-31
// A worker's own child is a primary, and may have workers of its own.
'use strict';
const childProcess = require('node:child_process');
const cluster = require('node:cluster');
const { see, watchCluster, watchWorker, gone } = require('../observe');

const [, , role] = process.argv;
if (role === 'inner' && cluster.isPrimary) {
  const id = process.env.NODE_UNIQUE_ID;
  const worker = cluster.fork({ INNER: '1' });
  worker.on('message', (told) => process.send({ isPrimary: cluster.isPrimary, id: id ?? null, worker: worker.id, told }));
  worker.on('exit', (code) => process.send({ code }, () => process.disconnect()));
} else if (role === 'inner') process.send([cluster.isWorker, cluster.worker.id], () => process.disconnect());
else if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  const child = childProcess.fork(__filename, ['inner'], { env: { ...process.env, DIFF_TRACE: '' } });
  child.on('message', (value) => see('self', 'inner', value));
  child.on('close', (code) => {
    see('self', 'inner ended', code);
    process.disconnect();
  });
}
