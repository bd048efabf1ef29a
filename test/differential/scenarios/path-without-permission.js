// Covers: M-2, N-7, R-3
// EACCES: the primary has given up its rights, and the worker learns it.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, watchCluster, watchWorker, message, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', () => {
    const server = net.createServer().listen('private/a.sock');
    server.on('error', ({ code, errno, syscall, address, port }) => {
      see('self', 'error', code, errno, syscall, address, port, server.listening);
      cluster.worker.disconnect();
    });
  });
  process.send('ready');
}

async function primary() {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  await message(worker);
  fs.mkdirSync('private', 0o700);
  // Its own log is still written.
  fs.chmodSync('.', 0o777);
  for (const log of fs.readdirSync('.')) if (log.endsWith('.log')) fs.chmodSync(log, 0o666);
  process.seteuid(65534);
  const end = gone(worker);
  worker.send('listen');
  await end;
  process.seteuid(0);
  see('main', 'made nothing', fs.readdirSync('private'));
}
