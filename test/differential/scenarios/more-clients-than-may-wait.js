//
// Clients of a stopped worker: the primary accepts all, or with `limits.queuedConnections`, which Node does
// not know, leaves the rest in the kernel's backlog. All are served in the end.
'use strict';
const cluster = require('node:cluster');
const { readdirSync } = require('node:fs');
const net = require('node:net');
const { see, watchCluster, forkListening, gone, turns } = require('../observe');

const CLIENTS = 60;
if (cluster.isPrimary) primary();
else net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');

async function primary() {
  cluster.setupPrimary({ limits: { queuedConnections: 4 } });
  watchCluster();
  const { worker, port } = await forkListening();
  worker.process.kill('SIGSTOP');
  const fds = () => readdirSync('/proc/self/fd').length;
  const before = fds();
  let served = 0;
  const closed = [];
  await Promise.all(Array.from({ length: CLIENTS }, () => new Promise((resolve) => {
    const client = net.connect(port, '127.0.0.1', resolve).on('data', () => { served++; });
    closed.push(new Promise((ended) => client.on('close', ended)));
  })));
  await turns(4 * CLIENTS); // One connection is accepted in each.
  see('main', 'holds all', fds() - before === 2 * CLIENTS);
  worker.process.kill('SIGCONT');
  await Promise.all(closed);
  see('client', 'served', served);
  const end = gone(worker);
  worker.disconnect();
  await end;
}
