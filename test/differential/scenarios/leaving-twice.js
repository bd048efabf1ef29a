// Covers: W-6, W-9, P-20, P-21
// disconnect, kill and destroy one after the other, in the worker and in the primary.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, look, next, gone, directionsApart } = require('../observe');

const ways = [['disconnect', 'disconnect'], ['kill', 'disconnect'], ['destroy', 'kill']];
directionsApart();
if (cluster.isPrimary) primary();
else {
  const { worker } = cluster;
  process.on('exit', () => see('self', 'state', worker.state));
  process.on('message', (way) => {
    for (const method of way) {
      const given = worker[method]();
      see('self', method, given === worker, given === undefined, worker.state, process.connected);
    }
  });
  net.createServer().listen(0);
}

async function primary() {
  watchCluster();
  for (const way of ways) {
    const worker = watchWorker(cluster.fork());
    await next(worker, 'listening');
    const end = gone(worker);
    worker.send(way);
    await end;
  }
  for (const way of [['kill', 'destroy']]) {
    const worker = watchWorker(cluster.fork());
    await next(worker, 'listening');
    const end = gone(worker);
    for (const method of way) {
      see(`W${worker.id}`, method, worker[method]('SIGKILL') === worker);
      look(worker, 'after it:');
    }
    await end;
    for (const method of ['disconnect', 'destroy', 'kill']) see(`W${worker.id}`, 'when it is gone', method, worker[method]() === worker);
    look(worker, 'at the end:');
  }
}
