// Covers: N-12, N-10
// closeIdleConnections and closeAllConnections of a worker's HTTP server reach the connections that were scheduled to it.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const net = require('node:net');
const { see, next, gone } = require('../observe');

const connected = async (port) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.setEncoding('utf8');
  socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n');
  await next(socket, 'data');
  return socket;
};

if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    const [{ port }] = await next(worker, 'listening');
    const idle = await connected(port);
    const busy = await connected(port);
    busy.write('GET /never HTTP/1.1\r\nHost: here\r\n\r\n');
    await next(worker, 'message');
    const closed = [idle, busy].map((socket) => next(socket.on('error', () => undefined), 'close'));
    worker.send('closeIdleConnections');
    await closed[0];
    see('client', 'the idle one is closed, the busy one', busy.destroyed);
    worker.send('closeAllConnections');
    await closed[1];
    see('client', 'the busy one is closed');
    worker.disconnect();
    await gone(worker);
  })();
} else {
  const server = http.createServer((request, response) => {
    if (request.url !== '/never') return response.end('here');
    process.send('asked');
  });
  server.on('close', () => see('server', 'closed'));
  process.on('message', (way) => server[way]());
  server.listen(0);
}
