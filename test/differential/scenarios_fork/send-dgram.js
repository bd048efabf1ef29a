// Covers: I-26, I-32
// A UDP socket that is sent receives and answers in the child, and stays in the parent.
'use strict';
const { see, watch, gone, attempt, next, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const dgram = require('node:dgram');

if (process.argv[2] === 'child') {
  process.on('message', (what, socket) => {
    see('self', what, socket, socket?.type, socket?.address().address);
    socket.on('message', (text, { address, port }) => {
      see('self', 'got', String(text));
      socket.send('from the child', port, address, () => {
        socket.close();
        process.disconnect();
      });
    });
    process.send('receives');
  });
} else {
  (async () => {
    for (const type of ['udp4', 'udp6']) {
      const host = type === 'udp4' ? '127.0.0.1' : '::1';
      const child = watch(childProcess.fork(__filename, ['child']));
      const end = gone(child);
      const socket = dgram.createSocket(type).bind(0, host);
      await next(socket, 'listening');
      const { port } = socket.address();
      attempt('main', 'sent', () => child.send(type, socket, (error) => see('main', 'callback', error)));
      await message(child);
      attempt('main', 'still open', () => socket.address().address);
      socket.close();
      const client = dgram.createSocket(type);
      client.send('hello', port, host);
      const [answer] = await next(client, 'message');
      see('client', 'got', String(answer));
      client.close();
      await end;
    }
    const closed = dgram.createSocket('udp4');
    const child = watch(childProcess.fork(__filename, ['child']));
    child.on('message', () => child.kill());
    child.on('error', (error) => {
      see('main', 'error of the child', error);
      child.kill();
    });
    attempt('main', 'not bound', () => child.send('not bound', closed));
    await gone(child);
    closed.close();
  })();
}
