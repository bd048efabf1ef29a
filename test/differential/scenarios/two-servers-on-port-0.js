//
// Several servers of one worker on port 0: their indexes, and when an index is free again.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchWorker, next, message, gone } = require('../observe');

if (cluster.isPrimary) primary();
else worker();

async function worker() {
  const listen = async () => {
    const server = net.createServer().listen(0);
    await next(server, 'listening');
    return server;
  };
  const close = (server) => next(server.close(), 'close');
  const first = await listen();
  const second = await listen();
  process.send([first.address().port, second.address().port]);
  await close(first);
  const third = await listen();
  see('self', 'while the second is open');
  await close(second);
  await close(third);
  see('self', 'all closed');
  const fourth = await listen();
  const other = net.createServer().listen(0, '127.0.0.1');
  await next(other, 'listening');
  await close(fourth);
  cluster.worker.disconnect();
}

async function primary() {
  const seen = [];
  for (let count = 0; count < 2; count++) {
    const one = watchOnly(cluster.fork());
    const end = gone(one);
    const [ports] = await message(one);
    seen.push(ports);
    if (count === 0) see('main', 'two ports', ports[0] !== ports[1]);
    await end;
  }
}

/** The ports in its message differ from run to run. */
function watchOnly(worker) {
  const watched = watchWorker(worker);
  watched.removeAllListeners('message');
  return watched;
}
