// Covers: I-27
// Of a destroyed socket, a closed server or a socket sent before only the message arrives.
'use strict';
const { see, watch, gone, attempt, next, message, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (what, handle) => {
    see('self', 'got', what, handle);
    handle?.end('from the child');
    if (what === 'leave') process.disconnect();
  });
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']));
    const end = gone(child);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const answer = ask(server.address().port);
    const [socket] = await next(server, 'connection');
    const tell = (error) => see('main', 'callback', error);
    attempt('main', 'sent', () => child.send('a socket', socket, tell));
    see('client', 'got', await answer);
    attempt('main', 'sent', () => child.send('the same socket', socket, tell));
    attempt('main', 'sent', () => child.send('a new socket', new net.Socket(), tell));
    attempt('main', 'sent', () => child.send('a destroyed socket', new net.Socket().destroy(), tell));
    attempt('main', 'sent', () => child.send('a server that never listened', net.createServer(), tell));
    const closed = net.createServer().listen(0, '127.0.0.1');
    await next(closed, 'listening');
    closed.close();
    attempt('main', 'sent', () => child.send('a closed server', closed, tell));
    child.send('leave');
    await end;
    process.exit(0);
  })();
}
