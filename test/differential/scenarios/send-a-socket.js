// Covers: I-26, I-27, I-28, I-32, P-1
// Sockets that the primary sends to a worker, and one that the worker sends back.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', (what, socket) => {
    see('self', what, socket instanceof net.Socket, socket?.readable, socket?.writable);
    if (what === 'answer') socket.end('from the worker');
    if (what === 'send it back') process.send('here it is', socket);
    if (what === 'destroyed') process.send('got it');
    if (what === 'leave') process.disconnect();
  });
  process.send('ready');
}

async function primary() {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  await message(worker);
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await next(server, 'listening');
  const { port } = server.address();
  const accepted = async () => (await next(server, 'connection'))[0];

  let answer = ask(port);
  let socket = await accepted();
  see('main', 'send gave', worker.send('answer', socket));
  see('main', 'the socket is given away', socket._handle === null);
  see('client', 'got', await answer);

  answer = ask(port);
  socket = await accepted();
  worker.send('send it back', socket, (error) => see('main', 'callback', error));
  const [, back] = await message(worker, (what) => what === 'here it is');
  back.end('there and back');
  see('client', 'got', await answer);

  answer = ask(port);
  socket = await accepted();
  see('main', 'destroyed', worker.send('destroyed', socket.destroy()));
  await message(worker, (what) => what === 'got it');
  see('client', 'got', await answer);

  const end = gone(worker);
  worker.send('leave');
  await end;
  process.exit(0);
}
