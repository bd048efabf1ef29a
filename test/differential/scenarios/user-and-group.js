// Covers: C-26, C-33, R-2
// A worker that runs as nobody still listens wherever its primary may.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, watchCluster, forkListening, ask, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  see('self', 'is', process.getuid(), process.getgid());
  let error;
  try {
    fs.writeFileSync('private/file', '');
  } catch ({ code }) {
    error = code;
  }
  see('self', 'writes', error);
  net.createServer((socket) => socket.end('hello')).listen('private/a.sock');
}

async function primary() {
  // Every process writes its log here.
  fs.chmodSync('.', 0o777);
  fs.mkdirSync('private', 0o700);
  watchCluster();
  cluster.setupPrimary({ uid: 65534, gid: 65534, windowsHide: true });
  const { worker } = await forkListening();
  see('client', 'got', await ask('private/a.sock'));
  const end = gone(worker);
  worker.disconnect();
  await end;
}
