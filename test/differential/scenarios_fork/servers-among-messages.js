// Covers: I-23, I-26
// Servers and plain messages that wait together for a listener arrive in the order in which they were sent: a server
// is delivered when it listens, and what was sent after it waits for that.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (what, server) => {
    see('self', 'got', what, server);
    server?.on('listening', () => see('self', 'listens once more'));
    server?.close();
    if (what === 'last') process.send('all', () => process.disconnect());
  });
} else {
  const server = net.createServer().listen(0, '127.0.0.1', async () => {
    const child = childProcess.fork(__filename, ['child']);
    const end = gone(child);
    for (let at = 0; at < 6; at++) {
      child.send(`server ${at}`, server);
      child.send(`message ${at}`);
    }
    child.send('last');
    await message(child);
    server.close();
    await end;
  });
}
