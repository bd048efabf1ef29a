// Covers: I-26, I-32, I-15
// A server that is sent listens in both processes, and in the child alone once the parent has closed it.
'use strict';
const { see, watch, gone, attempt, next, message, ask, ownPort } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', async (what, server) => {
    see('self', what, server, server?.listening, server?.address().address, server?.listenerCount('connection'));
    if (what !== 'a server') return;
    server.on('connection', (socket) => socket.end('from the child'));
    process.send('listening');
    await message(process, (value) => value === 'leave');
    server.close(() => process.disconnect());
  });
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']));
    const server = net.createServer((socket) => socket.end('from the parent')).listen(ownPort(), '127.0.0.1');
    await next(server, 'listening');
    const port = ownPort();
    attempt('C1', 'send', () => child.send('a server', server, (error) => see('C1', 'callback', error)));
    see('C1', 'still ours', server.listening, server._handle !== null);
    await message(child);
    see('client', 'of both', /^from the (parent|child)$/.test(await ask(port)));
    server.close();
    await next(server, 'close');
    see('client', 'got', await ask(port));
    const end = gone(child);
    child.send('leave');
    await end;
    see('client', 'got', await ask(port));
  })();
}
