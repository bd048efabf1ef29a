// Covers: I-50, I-51, I-52
// A server counts the sockets that it has sent to children, and its close waits for them.
'use strict';
const { see, gone, next, message, ask, turns } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  const sockets = [];
  process.on('internalMessage', ({ cmd, key }) => { if (/^NODE_SOCKET/.test(cmd)) see('self', 'internal', cmd, key); });
  process.on('message', (what, socket) => {
    if (what === 'a socket') {
      sockets.push(socket);
      process.send('got it');
    } else if (what === 'close one') {
      sockets.shift().on('close', () => process.send('closed one')).end();
    }
  });
} else {
  (async () => {
    const children = [childProcess.fork(__filename, ['child']), childProcess.fork(__filename, ['child'])];
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const { port } = server.address();
    const count = (when) => new Promise((resolve) => server.getConnections((error, number) => resolve(see('main', when, error, number))));
    const clients = [];
    for (const child of [children[0], children[0], children[1], null]) {
      clients.push(ask(port));
      const [socket] = await next(server, 'connection');
      if (child === null) {
        await count('with one here');
        socket.destroy();
        await next(socket, 'close');
      } else {
        child.send('a socket', socket);
        await message(child);
        await count('sent one more');
      }
    }
    children[0].send('close one');
    await message(children[0]);
    await count('one closed');
    server.close((error) => see('main', 'close calls back', error));
    server.on('close', () => see('main', "server 'close'"));
    await turns();
    children[0].send('close one');
    await message(children[0]);
    see('main', 'one is left');
    children[1].send('close one');
    await next(server, 'close');
    await Promise.all(clients);
    for (const child of children) {
      const end = gone(child);
      child.disconnect();
      await end;
    }
  })();
}
