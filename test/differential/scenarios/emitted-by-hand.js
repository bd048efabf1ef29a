// Covers: C-60, C-61, C-63, P-1, P-30
// A program emits the events of a worker's process itself, or takes the listeners away.
'use strict';
const cluster = require('node:cluster');
const { see, watchCluster, watchWorker, message, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  cluster.worker.on('message', (...values) => see('self', "worker 'message'", ...values));
  cluster.worker.on('error', ({ message: text }, more) => see('self', "worker 'error'", text, more));
  process.emit('message', 'by hand', undefined);
  process.emit('error', new Error('by hand'), 'more');
  process.on('message', (value) => process.send(value));
  process.send('ready');
}

async function primary() {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  await message(worker, (what) => what === 'ready');
  worker.on('error', ({ message: text }, more) => see('W1', "worker 'error'", text, more));
  worker.process.emit('message', 'by hand', 'a handle');
  worker.process.emit('error', new Error('by hand'), 'more');
  worker.emit('message', 'on the worker');
  worker.process.emit('internalMessage', { cmd: 'NODE_CLUSTER', act: 'online' });
  worker.process.emit('internalMessage', { cmd: 'NODE_OTHER', act: 'online' });
  see('W1', 'state', worker.state);
  const echo = message(worker.process);
  worker.removeAllListeners('message');
  worker.send('nobody of the worker hears the echo');
  await echo;
  const end = gone(worker);
  worker.disconnect();
  await end;
}
