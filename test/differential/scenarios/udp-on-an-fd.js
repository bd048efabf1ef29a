// Covers: N-11, M-1, S-1, S-2, Q-6
// bind({ fd }) of a UDP socket that the primary inherited, and its worker too.
'use strict';
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const dgram = require('node:dgram');
const { see, watchCluster, forkListening, next, message, gone } = require('../observe');

if (cluster.isWorker) worker();
else if (process.argv[2] === 'primary') primary();
else {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', async () => {
    const handle = socket[Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')].handle;
    const primary = spawn(process.execPath, [...process.execArgv, __filename, 'primary', socket.address().port], {
      stdio: ['ignore', 'inherit', 'inherit', handle.fd], env: { ...process.env, DIFF_NAME: 'P1' },
    });
    socket.close();
    see('self', 'exit', ...await next(primary, 'exit'));
  });
}

async function worker() {
  const socket = dgram.createSocket('udp4').bind({ fd: 3 });
  await next(socket, 'listening');
  see('self', 'listening', socket.address().address);
  socket.on('message', (data) => process.send(String(data)));
}

async function primary() {
  watchCluster();
  cluster.setupPrimary({ stdio: ['ignore', 'inherit', 'inherit', 3, 'ipc'], args: [] });
  const { worker } = await forkListening();
  const heard = message(worker);
  const client = dgram.createSocket('udp4');
  client.send('datagram', Number(process.argv[3]), '127.0.0.1', () => client.close());
  await heard;
  const end = gone(worker);
  worker.disconnect();
  await end;
}
