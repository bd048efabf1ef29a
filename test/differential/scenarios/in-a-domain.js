// Covers: N-6, N-10, C-2
// A server that a worker makes in a domain: its listeners run there, and so does what they throw.
'use strict';
const cluster = require('node:cluster');
const domain = require('node:domain');
const net = require('node:net');
const { see, next, gone, ask } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    const [{ port }] = await next(worker, 'listening');
    see('client', 'got', await ask(port));
    worker.disconnect();
    await gone(worker);
  })();
} else {
  const one = domain.create();
  let socket;
  one.on('error', (error) => { see('domain', 'error', error.message); socket.end('caught'); });
  one.run(() => {
    const server = net.createServer((accepted) => {
      socket = accepted;
      see('domain', 'in a connection', process.domain === one);
      throw new Error('of a connection');
    });
    server.listen(0, () => see('domain', 'in listening', process.domain === one));
  });
}
