// Covers: I-20, I-28
// A socket sent with keepOpen: both processes have it.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchWorker, next, message, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', (what, socket) => {
    if (what === 'socket') socket.write('from the worker', () => { process.send('wrote'); socket.destroy(); });
    else process.disconnect();
  });
  process.send('ready');
}

async function primary() {
  const worker = watchWorker(cluster.fork());
  await message(worker);
  const server = net.createServer().listen(0, '127.0.0.1');
  await next(server, 'listening');
  const answer = ask(server.address().port);
  const [socket] = await next(server, 'connection');
  worker.send('socket', socket, { keepOpen: true }, (error) => see('main', 'callback', error));
  await message(worker, (what) => what === 'wrote');
  see('main', 'kept', socket._handle !== null);
  socket.end(', from the primary');
  see('client', 'got', await answer);
  const end = gone(worker);
  worker.send('leave');
  await end;
  process.exit(0);
}
