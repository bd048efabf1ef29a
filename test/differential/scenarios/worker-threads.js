// Covers: C-3
// A worker thread of a cluster worker is on its own: the primary's role, and a listen of its own.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const threads = require('node:worker_threads');
const { see, watchWorker, next, gone } = require('../observe');

if (threads.isMainThread && cluster.isPrimary) gone(watchWorker(cluster.fork()));
else if (threads.isMainThread) {
  const thread = new threads.Worker(__filename, { env: { ...process.env, DIFF_NAME: 'T1' } });
  next(thread, 'exit').then((values) => { see('self', 'thread ended', ...values); cluster.worker.disconnect(); });
} else {
  see('main', 'roles', cluster.isPrimary, cluster.isWorker, typeof process.send, process.connected, 'NODE_UNIQUE_ID' in process.env);
  see('main', 'keys', Object.keys(cluster).filter((name) => !name.startsWith('_')));
  const server = net.createServer().listen(0, () => { see('main', 'listening', server.address().port > 0, server._handle.constructor.name); server.close(); });
}
