// Covers: P-21, P-22
// worker.kill() and destroy() in the primary, with and without a signal, known and unknown.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, look, lookAtEachEvent, forkListening, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  net.createServer().listen(0);
  if (process.env.CATCHES) process.on('SIGTERM', () => { see('self', 'SIGTERM'); process.exit(9); });
}

async function primary() {
  watchCluster();
  for (const [method, signal, env] of [['kill'], ['destroy', 'SIGKILL'], ['kill', 'SIGINT'], ['kill', 15], ['kill', undefined, { CATCHES: 1 }]]) {
    const { worker } = await forkListening(env);
    lookAtEachEvent(worker);
    const end = gone(worker);
    for (const unknown of ['SIGNOTHING', 'sigterm!']) {
      try {
        see(`W${worker.id}`, 'gave', worker[method](unknown));
      } catch (error) {
        see(`W${worker.id}`, 'threw', error);
      }
    }
    see(`W${worker.id}`, 'gave', worker[method](signal));
    look(worker, 'after it:');
    await end;
    see(`W${worker.id}`, 'gave', worker.kill(), worker.process.killed, worker.process.exitCode, worker.process.signalCode);
  }
}
