// Covers: I-26, I-28, I-32, P-1
// A worker accepts and gives the socket to the primary, which passes it on to another worker, unread.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, forkListening, message, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else if (process.env.TAKES) {
  process.on('message', (what, socket) => {
    see('self', what, socket instanceof net.Socket);
    socket.on('data', (data) => socket.end(`taken: ${data}`));
    socket.resume();
  });
  process.send('ready');
} else net.createServer({ pauseOnConnect: true }, (socket) => process.send('pass on', socket)).listen(0, '127.0.0.1');

async function primary() {
  watchCluster();
  const taker = watchWorker(cluster.fork({ TAKES: '1' }));
  await message(taker);
  const { worker, address } = await forkListening({ TAKES: '' });
  worker.on('message', (what, socket) => taker.send(what, socket));
  see('client', 'got', await ask(address.port, 'hello'));
  for (const one of [worker, taker]) {
    const end = gone(one);
    one.disconnect();
    await end;
  }
}
