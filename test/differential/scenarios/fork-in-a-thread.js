// Covers: C-1, C-3
// A worker thread of the primary is a primary of its own: it forks, and its worker listens.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const threads = require('node:worker_threads');
const { see, watchCluster, forkListening, next, ask, gone } = require('../observe');

if (!threads.isMainThread) {
  (async () => {
    watchCluster();
    const { worker, port } = await forkListening();
    see('client', 'got', await ask(port));
    const end = gone(worker);
    worker.disconnect();
    await end;
    see('main', 'table', Object.keys(cluster.workers));
  })();
} else if (cluster.isWorker) net.createServer((socket) => socket.end('hello')).listen(0);
else {
  const thread = new threads.Worker(__filename, { env: { ...process.env, DIFF_NAME: 'T1' } });
  next(thread, 'exit').then((values) => see('self', 'thread ended', ...values, Object.keys(cluster.workers)));
}
