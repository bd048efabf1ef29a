// Covers: C-12, Q-8, W-30
// NODE_CLUSTER_SCHED_POLICY=none in the primary's start environment shares the listening socket.
'use strict';
const { spawn } = require('node:child_process');
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, next, gone, ask } = require('../observe');

if (cluster.isWorker) net.createServer((socket) => socket.end('served')).listen(0);
else if (process.argv[2] === 'primary') primary();
else {
  const env = { ...process.env, DIFF_NAME: 'P1', NODE_CLUSTER_SCHED_POLICY: 'none' };
  next(spawn(process.execPath, [...process.execArgv, __filename, 'primary'], { env, stdio: 'inherit' }), 'exit').then((end) => see('self', 'exit', ...end));
}

async function primary() {
  watchCluster();
  see('main', 'policy', cluster.schedulingPolicy);
  const { worker, port } = await forkListening();
  see('client', 'got', await ask(port));
  const end = gone(worker);
  worker.disconnect();
  await end;
}
