// Covers: I-26, I-27, I-32
// A socket whose client has reset it, or ended it, before it is sent: it arrives all the same, and tells so there.
'use strict';
const { see, gone, next, turns } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (way, socket) => {
    if (way === 'leave') return process.disconnect();
    see(way, 'arrived', socket instanceof net.Socket);
    let text = '';
    socket.setEncoding('utf8').on('data', (part) => { text += part; }).on('error', ({ code, syscall }) => see(way, 'error', code, syscall));
    socket.on('end', () => see(way, 'ended'));
    socket.on('close', (failed) => { see(way, 'closed', text, failed); process.send(way); });
    socket.resume();
  });
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    for (const way of ['reset', 'end', 'destroy']) {
      const accepted = next(server, 'connection');
      const client = net.connect(server.address().port, '127.0.0.1');
      const [socket] = await accepted;
      const closed = next(client.on('error', () => undefined), 'close');
      if (way === 'reset') client.resetAndDestroy();
      else if (way === 'end') client.end('last words');
      else client.destroy();
      if (way !== 'end') await closed;
      await turns();
      const told = next(child, 'message');
      child.send(way, socket, (error) => see('parent', way, 'sent', error));
      await told;
      client.destroy();
    }
    server.close(() => see('parent', 'server closed'));
    child.send('leave');
    await gone(child);
  })();
}
