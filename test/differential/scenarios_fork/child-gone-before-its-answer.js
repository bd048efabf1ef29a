// Covers: I-52
// The children with the sockets end before they have answered the question.
'use strict';
const { see, gone, next, message, ask, turns, block } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (what, socket) => process.send('got it', () => block('never')));
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const client = ask(server.address().port);
    const [socket] = await next(server, 'connection');
    child.send('a socket', socket);
    await message(child);
    const end = gone(child);
    server.getConnections((error, count) => see('main', 'getConnections', error, count));
    server.close((error) => see('main', 'close', error));
    await turns();
    see('main', 'kill', child.kill('SIGKILL'));
    await end;
    await client;
    see('main', 'client has ended');
    await turns();
    process.exit(0);
  })();
}
