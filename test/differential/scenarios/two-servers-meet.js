//
// Two workers each open two servers on port 0. Their first servers share one port, and their second servers another one.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, message, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  (async () => {
    const ports = [];
    for (const name of ['first', 'second']) {
      const server = net.createServer((socket) => socket.end(name)).listen(0);
      await next(server, 'listening');
      ports.push(server.address().port);
    }
    process.send(ports);
  })();
}

async function primary() {
  const workers = [cluster.fork()];
  const [one] = await message(workers[0]);
  workers.push(cluster.fork());
  const [two] = await message(workers[1]);
  see('main', 'shared', one[0] === two[0], one[1] === two[1], one[0] !== one[1]);
  see('client', 'got', await ask(one[0]), await ask(one[1]), await ask(two[0]), await ask(two[1]));
  const ends = workers.map(gone);
  workers.forEach((worker) => worker.disconnect());
  await Promise.all(ends);
}
