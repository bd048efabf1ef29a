// Covers: I-53
// Once every child that held one of its sockets is gone, a server counts and closes.
'use strict';
const { see, gone, next, message, ask, turns } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (what, socket) => process.send('got it', () => process.exit(0)));
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const client = ask(server.address().port);
    const [socket] = await next(server, 'connection');
    child.send('a socket', socket);
    await end;
    await client;
    await turns();
    see('main', 'asks');
    server.getConnections((error, count) => see('main', 'getConnections', error, count));
    server.close((error) => see('main', 'close', error));
    await turns();
  })();
}
