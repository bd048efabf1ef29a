//
// Serial connections go to the workers in the order in which they listened, again and again.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, gone, ask, turns } = require('../observe');

if (cluster.isPrimary) primary();
else net.createServer((socket) => socket.end(String(cluster.worker.id))).listen(0, '127.0.0.1');

async function primary() {
  const workers = [await forkListening(), await forkListening(), await forkListening()];
  const [{ port }] = workers;
  const order = [];
  for (let count = 0; count < 9; count++) {
    order.push(await ask(port));
    await turns();
  }
  see('client', 'order', order.join(' '));
  const end = gone(workers[1].worker);
  workers[1].worker.disconnect();
  await end;
  order.length = 0;
  for (let count = 0; count < 4; count++) {
    order.push(await ask(port));
    await turns();
  }
  see('client', 'without the second', order.join(' '));
  workers.push(await forkListening());
  order.length = 0;
  for (let count = 0; count < 6; count++) {
    order.push(await ask(port));
    await turns();
  }
  see('client', 'with a fourth', order.join(' '));
  cluster.disconnect();
}
