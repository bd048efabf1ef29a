// Covers: S-1, S-3, N-9, Q-8, W-30
// SCHED_NONE on unix sockets: two workers, their modes, a path that is taken, and who removes the file.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { see, watchCluster, watchWorker, forkListening, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('hello'));
  server.on('error', ({ code, syscall, address }) => {
    see('self', 'error', code, syscall, address);
    cluster.worker.disconnect();
  });
  server.listen(JSON.parse(process.env.LISTEN), () => see('self', 'listening', server.address()));
}

async function primary() {
  process.umask(0o022);
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  watchCluster();
  for (const options of [{ path: 'plain.sock' }, { path: 'open.sock', readableAll: true, writableAll: true }]) {
    const LISTEN = JSON.stringify(options);
    const workers = [await forkListening({ LISTEN }), await forkListening({ LISTEN })];
    see('main', 'mode', (fs.statSync(options.path).mode & 0o777).toString(8));
    see('client', 'got', await ask(options.path));
    for (const { worker } of workers) {
      const end = gone(worker);
      worker.disconnect();
      await end;
      see('main', 'is there', fs.existsSync(options.path));
    }
  }
  fs.writeFileSync('taken', '');
  for (const name of ['taken', path.resolve('missing/a.sock')]) await gone(watchWorker(cluster.fork({ LISTEN: JSON.stringify({ path: name }) })));
}
