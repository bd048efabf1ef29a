// Covers: R-8b, S-3, P-4
// SCHED_NONE: connections that wait in the kernel outlive a spinning worker that is killed, but not the last user of the socket.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, next, message, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
  process.on('message', () => process.send('spins', () => { for (;;); }));
}

async function primary() {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const { worker, port } = await forkListening();
  const spin = async (one) => {
    one.send('spin');
    await message(one, (what) => what === 'spins');
  };
  const results = [];
  const connect = async () => {
    const client = net.connect(port, '127.0.0.1');
    results.push(Promise.race([next(client, 'data').then(([data]) => String(data)), next(client, 'error').then(([{ code }]) => code)]));
    await next(client, 'connect');
  };
  await spin(worker);
  await connect();
  await connect();
  await forkListening();
  const end = gone(worker);
  worker.kill('SIGKILL');
  await end;
  see('client', 'waiting', await Promise.all(results.splice(0)));

  const last = Object.values(cluster.workers)[0];
  await spin(last);
  await connect();
  const lastEnd = gone(last);
  last.kill('SIGKILL');
  await lastEnd;
  see('client', 'when nobody is left', await results[0]);
}
