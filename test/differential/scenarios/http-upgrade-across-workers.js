// Covers, N-10, N-12
// An upgrade that a worker answers: what comes behind the head, and who ends the socket.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const { see, watchCluster, forkListening, gone, next } = require('../observe');

if (cluster.isPrimary) primary();
else {
  http.createServer().on('upgrade', (request, socket, head) => {
    see('server', request.headers.upgrade, head.length);
    socket.write('HTTP/1.1 101 yes\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.on('data', (data) => socket.end(`${data}, twice`));
  }).listen(0, '127.0.0.1');
}

async function primary() {
  watchCluster();
  const { worker, port } = await forkListening();
  const request = http.request({ port, host: '127.0.0.1', headers: { connection: 'upgrade', upgrade: 'echo' } });
  request.end();
  const [response, socket] = await next(request, 'upgrade');
  socket.write('once');
  let text = '';
  socket.setEncoding('utf8').on('data', (part) => { text += part; });
  await next(socket, 'close');
  see('client', response.statusCode, response.statusMessage, text);
  const end = gone(worker);
  worker.disconnect();
  await end;
}
