// Covers: I-26, I-32
// Native handles of a server, a socket and a UDP socket arrive as native handles, and stay the sender's.
'use strict';
const { see, gone, attempt, next, message, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

const dgram = require('node:dgram');

const native = (socket) => socket[Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')].handle;

if (process.argv[2] === 'child') {
  process.on('message', (what, handle) => {
    see('self', what, handle?.constructor.name, typeof handle?.close, handle?.fd > 2);
    if (what === 'server') net.createServer((socket) => socket.end('from the child')).listen(handle, () => process.send('listening'));
    else if (what === 'socket') new net.Socket({ handle }).end('by the child');
    else if (what === 'udp') handle.close(() => process.exit(0));
  });
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const { port } = server.address();
    const answer = ask(port);
    const [socket] = await next(server, 'connection');
    attempt('main', 'sent', () => child.send('socket', socket._handle));
    see('main', 'kept', socket._handle !== null);
    socket.on('close', () => see('main', 'closed here'));
    child.send('server', server._handle, () => server.close());
    await message(child);
    socket.destroy();
    see('client', 'got', await answer);
    see('client', 'got', await ask(port));
    const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await next(udp, 'listening');
    attempt('main', 'sent', () => child.send('udp', native(udp)));
    await end;
    udp.close();
  })();
}
