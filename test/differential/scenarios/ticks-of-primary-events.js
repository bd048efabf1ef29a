// Covers: C-23, C-30, C-34, P-2, P-5
// In which tick each event of the primary comes, seen from markers that were set before it.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  // A server of its own holds the worker until the primary has seen 'disconnect' and connects to it:
  // otherwise 'exit' may come first (P-5).
  const hold = net.createServer((socket) => { socket.on('error', () => {}).destroy(); hold.close(); });
  hold.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
    process.send({ hold: hold.address().port }, () => net.createServer().listen(0));
  });
}

/** Records what of the loop comes after this moment. */
function mark(name) {
  see(name, 'now');
  queueMicrotask(() => see(name, 'microtask'));
  process.nextTick(() => see(name, 'next tick'));
  setImmediate(() => see(name, 'immediate'));
}

async function primary() {
  cluster.once('setup', () => see('setup', "'setup'"));
  mark('setup');
  cluster.setupPrimary();
  see('setup', 'returned');
  await next(cluster, 'setup');

  cluster.once('fork', () => see('fork', "'fork'"));
  cluster.once('setup', () => see('fork', "'setup'"));
  const worker = cluster.fork();
  worker.process.once('spawn', () => see('fork', "'spawn'"));
  mark('fork');
  for (const event of ['online', 'listening', 'disconnect', 'exit']) {
    worker.once(event, () => { see(event, 'on the worker'); mark(event); });
    cluster.once(event, () => see(event, 'on the cluster'));
  }
  const [{ hold }] = await next(worker, 'message');
  await next(worker, 'listening');
  const end = gone(worker);
  worker.once('disconnect', () => net.connect(hold, '127.0.0.1').on('error', () => {}));
  cluster.disconnect(() => see('exit', 'callback'));
  mark('disconnect()');
  await end;

  cluster.setupPrimary({ cwd: '/does not exist' });
  const failed = cluster.fork();
  mark('failed');
  failed.on('error', ({ code }) => see('failed', "'error'", code));
  failed.on('disconnect', () => see('failed', "'disconnect'"));
  failed.on('exit', () => see('failed', "'exit'"));
  cluster.on('fork', () => see('failed', "cluster 'fork'"));
}
