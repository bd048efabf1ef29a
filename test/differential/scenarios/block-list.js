// Covers: N-13, N-10
// The blockList of a server (Node 22 and later) also blocks connections that the primary has accepted and handed to the worker.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, gone, ask } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    const [{ port }] = await next(worker, 'listening');
    const answer = await ask(port);
    see('client', 'got', answer === 'ECONNRESET' ? '' : answer);
    worker.disconnect();
    await gone(worker);
  })();
} else {
  const blockList = new net.BlockList();
  blockList.addAddress('127.0.0.1');
  const server = net.createServer({ blockList }, (socket) => { see('connection', 'came'); socket.end('not blocked'); });
  server.on('drop', (dropped) => see('drop', dropped?.localAddress, dropped?.remoteAddress, dropped?.remoteFamily));
  server.listen(0, '127.0.0.1');
}
