// Covers: Q-8, S-1, M-1, W-30
// SCHED_NONE and listen({ fd }): the workers get the primary's inherited socket; a file is none.
'use strict';
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { see, watchCluster, watchWorker, forkListening, next, gone, ask, ownPort } = require('../observe');

if (cluster.isWorker) worker();
else if (process.argv[2] === 'primary') primary();
else {
  const listener = net.createServer().listen(ownPort(), '127.0.0.1', async () => {
    const primary = spawn(process.execPath, [...process.execArgv, __filename, 'primary', ownPort()], {
      stdio: ['ignore', 'inherit', 'inherit', listener._handle.fd], env: { ...process.env, DIFF_NAME: 'P1', NODE_CLUSTER_SCHED_POLICY: 'none' },
    });
    listener.close();
    see('self', 'exit', ...await next(primary, 'exit'));
  });
}

function worker() {
  const server = net.createServer((socket) => socket.end('hello'));
  server.on('error', ({ code, syscall, errno }) => {
    see('self', 'error', code, syscall, errno);
    cluster.worker.disconnect();
  });
  server.listen({ fd: Number(process.env.LISTEN_FD) }, () => see('self', 'listening', server.address().port > 0));
}

async function primary() {
  watchCluster();
  const workers = [await forkListening({ LISTEN_FD: 3 }), await forkListening({ LISTEN_FD: 3 })];
  see('client', 'got', await ask(Number(process.argv[3])));
  const end = gone(workers[0].worker);
  workers[0].worker.disconnect();
  await end;
  see('client', 'got', await ask(Number(process.argv[3])));
  const last = gone(workers[1].worker);
  workers[1].worker.disconnect();
  await last;
  see('client', 'got', await ask(Number(process.argv[3])));
  const file = fs.openSync('file', 'w');
  for (const LISTEN_FD of [file, 900]) await gone(watchWorker(cluster.fork({ LISTEN_FD })));
}
