// Covers, N-9, W-22
// An abstract unix socket, in a worker of the primary's directory and in one of another.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { see, watchCluster, watchWorker, message, gone, ask, ownPort } = require('../observe');

const name = `\0differential-scenario-${ownPort()}`;
if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('hello'));
  server.on('error', ({ code, syscall }) => process.send([code, syscall]));
  server.listen(name, () => process.send([server.address(), cluster.worker.state]));
}

async function primary() {
  watchCluster();
  fs.mkdirSync('elsewhere');
  for (const cwd of ['.', 'elsewhere']) {
    cluster.setupPrimary({ cwd: path.resolve(cwd) });
    const worker = watchWorker(cluster.fork());
    await message(worker);
    see('client', 'got', await ask(name), fs.readdirSync('elsewhere'));
    const end = gone(worker);
    worker.disconnect();
    await end;
    see('client', 'afterwards', await ask(name));
  }
}
