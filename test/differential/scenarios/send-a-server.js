// Covers: I-26, I-28, I-32, N-3
// The primary sends its own net.Server and a dgram.Socket to a worker.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', (what, handle) => {
    see('self', what, handle?.constructor.name, handle instanceof net.Server && handle.listening);
    if (what === 'server') {
      handle.on('connection', (socket) => socket.end('from the worker'));
      process.send('serving');
    }
    if (what === 'datagrams') {
      handle.on('message', (data) => { see('self', 'heard', String(data)); process.disconnect(); });
      process.send('hearing');
    }
  });
  process.send('ready');
}

async function primary() {
  watchCluster();
  const worker = watchWorker(cluster.fork());
  await message(worker);
  const server = net.createServer(() => see('main', 'not here')).listen(0, '127.0.0.1');
  await next(server, 'listening');
  const { port } = server.address();
  see('main', 'send gave', worker.send('server', server));
  await message(worker);
  server.close();
  see('client', 'got', await ask(port));

  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await next(socket, 'listening');
  const end = gone(worker);
  worker.send('datagrams', socket);
  await message(worker);
  const to = socket.address().port;
  socket.close();
  const client = dgram.createSocket('udp4');
  client.send('hello', to, '127.0.0.1', () => client.close());
  await end;
}
