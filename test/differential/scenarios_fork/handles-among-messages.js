// Covers: I-23, I-29, I-40
// Messages and handles in turn arrive in the order in which they were sent.
'use strict';
const { see, gone, next, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (what, handle) => {
    see('self', 'got', what, handle);
    if (handle instanceof net.Socket) handle.end(what);
    else handle?.close();
    if (what === 'last') process.disconnect();
  });
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const { port } = server.address();
    const clients = [];
    const sockets = [];
    for (let at = 0; at < 8; at++) {
      clients.push(ask(port));
      sockets.push((await next(server, 'connection'))[0]);
    }
    for (let at = 0; at < 8; at++) {
      see('returned', `message ${at}`, child.send(`message ${at}`, (error) => see('callbacks of messages', at, error)));
      see('returned', `socket ${at}`, child.send(`socket ${at}`, sockets[at], (error) => see('callbacks of sockets', at, error)));
      if (at % 3 === 0) see('returned', `server ${at}`, child.send(`server ${at}`, server, (error) => see('callbacks of servers', at, error)));
    }
    child.send('last');
    for (const [at, answer] of clients.entries()) see('client', at, await answer);
    await end;
    process.exit(0);
  })();
}
