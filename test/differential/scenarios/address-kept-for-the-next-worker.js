//
// A client between the death of the last worker and the next one, with `keepListening`, which Node does not know.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, forkListening, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) primary();
else net.createServer((socket) => socket.end('hello')).listen(ownPort(), '127.0.0.1');

async function primary() {
  cluster.setupPrimary({ keepListening: { limit: 10, deadlineMs: 40_000 } });
  watchCluster();
  const first = await forkListening();
  const killed = gone(first.worker);
  first.worker.process.kill('SIGKILL');
  await killed;
  const answer = ask(first.port);
  const second = await forkListening();
  see('client', 'got', await answer);
  const end = gone(second.worker);
  second.worker.disconnect();
  await end;
  see('client', 'in the end', await ask(first.port));
}
