'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const { createAdapter, setupPrimary } = require('@socket.io/cluster-adapter');
const { setupMaster, setupWorker } = require('@socket.io/sticky');
const { Server } = require('socket.io');

if (cluster.isPrimary) {
  cluster.setupPrimary({ serialization: 'advanced' }); // @socket.io/sticky sends Buffers to the workers.
  const server = http.createServer();
  setupMaster(server, { loadBalancingMethod: 'round-robin' });
  setupPrimary();
  cluster.on('exit', () => cluster.fork());
  let ready = 0;
  cluster.on('message', (worker, message) => {
    if (message === 'ready' && ++ready === 2) server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
  });
  process.on('SIGTERM', () => process.exit(0));
  for (let n = 0; n < 2; n++) cluster.fork();
} else {
  const io = new Server(http.createServer());
  io.adapter(createAdapter());
  setupWorker(io);
  io.on('connection', (socket) => {
    socket.on('pid', (callback) => callback(process.pid));
    socket.on('tell all', (text) => io.emit('news', text));
    // The adapter expects an answer of a killed worker for 10 s, and until then `fetchSockets` rejects after 5 s.
    socket.on('count', (callback) => io.fetchSockets().then(({ length }) => callback(length), ({ message }) => callback(message)));
  });
  process.send('ready');
}
