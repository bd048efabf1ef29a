// Covers: I-28
// The socket of an HTTP request: its parser is released, the child answers.
'use strict';
const { see, gone, next, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const http = require('node:http');

if (process.argv[2] === 'child') {
  process.once('message', (head, socket) => {
    see('self', 'got', head, socket);
    socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nanswer to ${head}`);
  });
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    const server = http.createServer((request) => {
      const { socket } = request;
      see('main', 'parser', socket.parser !== null);
      child.send(request.url, socket);
      see('main', 'given away', socket._handle, socket.parser);
    }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const answer = await ask(server.address().port, 'GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n');
    see('client', 'got', answer.split('\r\n').at(-1));
    await end;
    process.exit(0);
  })();
}
