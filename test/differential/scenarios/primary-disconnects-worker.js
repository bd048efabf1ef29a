// Covers: P-20, P-22, P-23, W-7
// worker.disconnect() in the primary on a worker that has a server, and again when it is gone.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, look, lookAtEachEvent, forkListening, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('hello')).listen(ownPort());
  server.on('close', () => see('self', 'server closed', cluster.worker.state, cluster.worker.exitedAfterDisconnect, process.connected));
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.state, cluster.worker.exitedAfterDisconnect));
  process.on('disconnect', () => see('self', "process 'disconnect'"));
}

async function primary() {
  watchCluster();
  const { worker, port } = await forkListening();
  lookAtEachEvent(worker);
  see('client', 'before', await ask(port));
  const end = gone(worker);
  see('W1', 'gave', worker.disconnect() === worker);
  look(worker, 'after disconnect():');
  await end;
  see('client', 'after', await ask(port));
  see('W1', 'gave', worker.disconnect() === worker);
  look(worker, 'at the end:');
}
