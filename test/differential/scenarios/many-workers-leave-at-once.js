// Covers: C-40, C-41, P-5
// Nine workers leave in one turn: three by the primary, three by themselves, three by process.disconnect.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, gone, endsApart } = require('../observe');

const WAYS = ['primary', 'itself', 'process'];
if (cluster.isPrimary) {
  (async () => {
    endsApart();
    const workers = Array.from({ length: 9 }, (_, at) => cluster.fork({ WAY: WAYS[at % 3] }));
    await Promise.all(workers.map((worker) => next(worker, 'listening')));
    const ended = Promise.all(workers.map(async (worker, at) => {
      const exit = next(worker, 'exit');
      await gone(worker);
      see(`W${worker.id}`, WAYS[at % 3], ...await exit, worker.exitedAfterDisconnect, worker.isConnected(), worker.isDead());
    }));
    workers.forEach((worker, at) => (at % 3 === 0 ? worker.disconnect() : worker.send('leave')));
    await ended;
    await new Promise((resolve) => cluster.disconnect(resolve));
    see('main', 'left', Object.keys(cluster.workers));
  })();
} else {
  net.createServer().listen(0);
  process.on('message', () => (process.env.WAY === 'itself' ? cluster.worker.disconnect() : process.disconnect()));
}
