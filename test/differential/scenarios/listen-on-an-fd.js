// Covers, M-1, M-2, P-3
// listen({fd}) of a listening socket that the primary inherited, and of fds that are none.
'use strict';
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { see, watchCluster, watchWorker, forkListening, next, gone, ask, ownPort } = require('../observe');

if (cluster.isWorker) worker();
else if (process.argv[2] === 'primary') primary();
else {
  // The fd must be one that no server of the primary itself uses.
  const listener = net.createServer().listen(ownPort(), '127.0.0.1', async () => {
    const primary = spawn(process.execPath, [...process.execArgv, __filename, 'primary', ownPort()], {
      stdio: ['ignore', 'inherit', 'inherit', listener._handle.fd], env: { ...process.env, DIFF_NAME: 'P1' },
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
  server.listen({ fd: Number(process.env.LISTEN_FD) }, () => see('self', 'listening', server.address()));
}

async function primary() {
  watchCluster();
  const workers = [await forkListening({ LISTEN_FD: 3 }), await forkListening({ LISTEN_FD: 3 })];
  see('client', 'got', await ask(Number(process.argv[3])));
  for (const one of workers) {
    const end = gone(one.worker);
    one.worker.disconnect();
    await end;
  }
  see('client', 'got', await ask(Number(process.argv[3])));
  const file = fs.openSync('file', 'w');
  for (const LISTEN_FD of [file, 900]) await gone(watchWorker(cluster.fork({ LISTEN_FD })));
}
