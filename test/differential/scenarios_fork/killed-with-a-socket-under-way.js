// Covers: I-45
// A child dies before it has taken a socket: its 'disconnect', and what the client sees.
'use strict';
const { see, watch, next, message, ask, turns, block } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') process.send('busy', () => block('never'));
else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']));
    await message(child);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    let client = 'hangs';
    ask(server.address().port).then((answer) => { client = `closed ${answer}`; });
    const [socket] = await next(server, 'connection');
    child.send('a socket', socket, (error) => see('callback of the socket', '', error));
    await turns(2);
    child.kill('SIGKILL');
    await next(child, 'close');
    await turns();
    see('client', client);
    see('main', 'channel', child.channel, child.connected);
    process.exit(0);
  })();
}
