// Covers: I-28, I-32
// What a client has said before its socket is sent reaches the child.
'use strict';
const { see, gone, next, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.once('message', (what, socket) => {
    socket.setEncoding('utf8').once('data', (text) => socket.end(`${what} heard ${text}`));
  });
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const answer = ask(server.address().port, 'hello');
    const [socket] = await next(server, 'connection');
    child.send('the child', socket);
    server.close();
    see('client', 'got', await answer);
    await end;
    process.exit(0);
  })();
}
