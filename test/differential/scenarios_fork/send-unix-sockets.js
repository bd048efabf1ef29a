// Covers: I-26, I-32, I-35
// Servers and sockets of a path are sent as those of a port are.
'use strict';
const { see, watch, gone, next, message, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

const path = require('node:path');

if (process.argv[2] === 'child') {
  process.on('message', (what, handle) => {
    see('self', what, handle, handle?.listening, handle?.readable, handle?._handle?.constructor.name);
    if (what === 'a socket') handle.end('from the child');
    if (what === 'a server') {
      handle.on('connection', (socket) => socket.end('from the server in the child'));
      process.send('listening');
    }
    if (what === 'leave') process.exit(0);
  });
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']));
    const file = path.resolve('a.sock');
    const server = net.createServer({ pauseOnConnect: true }).listen(file);
    await next(server, 'listening');
    const answer = ask(file);
    const [socket] = await next(server, 'connection');
    child.send('a socket', socket);
    see('client', 'got', await answer);
    child.send('a server', server);
    await message(child);
    server._handle.close(); // Not the server, whose close would remove the path.
    see('client', 'got', await ask(file));
    const end = gone(child);
    child.send('leave');
    await end;
    process.exit(0);
  })();
}
