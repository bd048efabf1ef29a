// Covers: I-26
// Sockets that a worker sends to a primary in which nobody listens to 'message': they stay open until
// their clients end them.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  let sent = 0;
  net.createServer({ pauseOnConnect: true }, (socket) => {
    process.send('take it', socket, () => { if (++sent === 2) process.disconnect(); });
  }).listen(0, '127.0.0.1');
}

async function primary() {
  const worker = cluster.fork();
  const { port } = await new Promise((resolve) => worker.once('listening', resolve));
  const end = gone(worker);
  const clients = ['silent', 'speaking'].map((name) => {
    const client = net.connect(port, '127.0.0.1').resume();
    let ended = false;
    const close = new Promise((resolve) => client.on('close', () => { ended = true; resolve(); }));
    return { name, client, close, ended: () => ended };
  });
  await end;
  clients[1].client.write('x'.repeat(100));
  await turns(50);
  for (const { name, client, ended } of clients) {
    see('client', name, 'ended', ended());
    client.end();
  }
  await clients[0].close;
  see('client', 'silent', 'ended', clients[0].ended());
  // Under Node the socket of this client never closes (D38). There is no event to wait for, so wait 500 ms, and some turns: this
  // process may have stood still meanwhile.
  const moment = new Promise((resolve) => setTimeout(resolve, 500)).then(() => turns(50)).then(() => false);
  const closed = await Promise.race([clients[1].close.then(() => true), moment]);
  see('client', 'speaking', 'closed', closed);
  process.exit();
}
