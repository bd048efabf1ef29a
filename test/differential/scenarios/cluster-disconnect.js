// Covers: C-40, C-41
// cluster.disconnect with workers, and when its callback comes.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, look, forkListening, gone, ask, ownPort, endsApart } = require('../observe');

if (cluster.isPrimary) primary();
else net.createServer((socket) => socket.end('hello')).listen(Number(process.env.LISTEN_PORT));

async function primary() {
  watchCluster();
  const first = await forkListening({ LISTEN_PORT: ownPort() });
  const end = gone(first.worker);
  see('main', 'gave', cluster.disconnect(function (...values) {
    see('W1', 'callback', values.length, this === cluster);
    look(first.worker, 'in the callback:');
  }));
  see('main', 'table', Object.keys(cluster.workers));
  await end;
  see('client', 'refused', await ask(first.port));

  const several = [await forkListening({ LISTEN_PORT: 0 }), await forkListening({ LISTEN_PORT: 0 }), await forkListening({ LISTEN_PORT: 0 })];
  endsApart();
  const ends = several.map(({ worker }) => gone(worker));
  let called = 0;
  cluster.disconnect(() => {
    called++;
    see('main', 'callback with several', several.some(({ worker }) => worker.isDead()), Object.keys(cluster.workers));
  });
  cluster.disconnect();
  cluster.disconnect('no function');
  await Promise.all(ends);
  see('main', 'called', called);
}
