// Covers: Q-8, S-1, S-2, S-3, W-30
// SCHED_NONE: the workers accept by themselves on one socket.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => socket.end('served'));
  server.listen(process.env.LISTEN_PATH || Number(process.env.LISTEN_PORT), () => see('self', 'listening', server.address()));
  server.on('close', () => see('self', 'server closed'));
}

async function primary() {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  watchCluster();
  const onPort0 = [await forkListening({ LISTEN_PORT: 0 }), await forkListening({ LISTEN_PORT: 0 })];
  see('main', 'the same port', onPort0[0].port === onPort0[1].port);
  for (const { worker } of onPort0) {
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
  const port = ownPort(); // Whoever has closed a port of the kernel's range may find another program there.
  const workers = [await forkListening({ LISTEN_PORT: port }), await forkListening({ LISTEN_PORT: port })];
  see('client', 'got', await ask(port), await ask(port));
  const end = gone(workers[0].worker);
  workers[0].worker.disconnect();
  await end;
  see('client', 'got', await ask(port));
  const killed = gone(workers[1].worker);
  workers[1].worker.kill('SIGKILL');
  await killed;
  see('client', 'got', await ask(port));

  const { worker } = await forkListening({ LISTEN_PATH: 'shared.sock' });
  see('client', 'by path', await ask('shared.sock'));
  const left = gone(worker);
  worker.disconnect();
  await left;
}
