// Covers: N-8, N-11, N-12
// Symbol.asyncDispose of a server in a worker closes it, and rejects where none listens.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const http = require('node:http');
const net = require('node:net');
const { see, next, gone, ask, ownPort } = require('../observe');

const dispose = (what, server) => server[Symbol.asyncDispose]().then(() => see(what, 'disposed', server.listening), ({ code }) => see(what, 'rejected', code));

if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    await next(worker, 'message');
    see('client', 'got', await ask(ownPort()), await ask(ownPort(1)));
    worker.send('leave');
    await gone(worker);
  })();
} else {
  (async () => {
    for (const [at, { createServer }] of [net, http].entries()) {
      const what = ['net', 'http'][at];
      const server = createServer().listen(ownPort(at));
      await next(server, 'listening');
      server.on('close', () => see(what, 'closed'));
      await dispose(what, server);
      await dispose(what, server);
    }
    const socket = dgram.createSocket('udp4').bind(ownPort(2));
    await next(socket, 'listening');
    socket.on('close', () => see('dgram', 'closed'));
    await dispose('dgram', socket);
    const asking = net.createServer().listen(ownPort(3));
    await dispose('asking', asking);
    see('asking', 'listens', asking.listening);
    asking.close();
    process.once('message', () => cluster.worker.disconnect());
    process.send('done');
  })();
}
