// Covers: C-33, I-1
// The channel on descriptors 0, 1 and 5: messages and connections go over it all the same.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, message, ask, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', (value) => process.send([value, process.channel.fd > 0]));
  net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
}

async function primary() {
  watchCluster();
  for (const stdio of [['ipc', 'ignore', 'inherit'], ['ignore', 'ipc', 'inherit'], ['ignore', 'pipe', 'inherit', 'ignore', 'pipe', 'ipc']]) {
    cluster.setupPrimary({ stdio });
    const { worker, port } = await forkListening();
    see('main', 'streams', worker.process.stdio.map((stream) => stream !== null));
    const answer = message(worker);
    worker.send('back');
    await answer;
    see('client', 'got', await ask(port));
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
