// Covers: I-28, I-32
// The socket of an HTTP upgrade is sent with what came behind the request.
'use strict';
const { see, gone, next, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const http = require('node:http');

if (process.argv[2] === 'child') {
  process.once('message', ({ head }, socket) => {
    socket.unshift(Buffer.from(head, 'latin1'));
    socket.setEncoding('latin1').once('data', (text) => socket.end(`echo ${text}`));
  });
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    const server = http.createServer().on('upgrade', (request, socket, head) => {
      see('main', 'head', String(head), socket.parser);
      child.send({ head: head.toString('latin1') }, socket);
    }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    see('client', 'got', await ask(server.address().port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbehind'));
    await end;
    process.exit(0);
  })();
}
