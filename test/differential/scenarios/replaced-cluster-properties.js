// Covers: N-1, N-2, N-3, N-4, N-5, N-6, N-11
// What net and dgram ask of whoever stands in the cluster object, for each way to listen.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const { see, next } = require('../observe');

const asked = [];
let told = () => {};
const before = net.createServer().listen(0, '127.0.0.1', async () => {
  before.close();
  cluster.isPrimary = false;
  cluster.isWorker = true;
  cluster._getServer = (asker, query, answer) => { asked.push(query); see('query', asker.constructor.name, query, answer.length); told(); };
  const ways = [
    [0], [0, 'localhost'], [0, '127.0.0.1', 9], [{ port: 0, host: '::1', ipv6Only: true }], [{ port: 0, ipv6Only: true }], [{ port: 0, backlog: 4 }],
    ['some.sock'], [{ path: 'some.sock', readableAll: true }], [{ fd: 40 }], [{ port: 0, exclusive: true }], [],
  ];
  for (const way of ways) {
    const server = net.createServer();
    const query = new Promise((resolve) => { told = resolve; });
    server.listen(...way);
    see('query', 'at once', asked.length > 0, server.listening, server._handle === null);
    await Promise.race([query, next(server, 'listening')]);
    see('query', 'bound by itself', server.listening);
    if (server.listening) server.close();
    asked.length = 0;
  }
  for (const [options, ...way] of [['udp4', 0], ['udp6', 0, '::1'], [{ type: 'udp4', reuseAddr: true }, 0, '127.0.0.1'], [{ type: 'udp6', ipv6Only: true }, 0], ['udp4', { port: 0, exclusive: true }]]) {
    const socket = dgram.createSocket(options);
    const query = new Promise((resolve) => { told = resolve; });
    socket.bind(...way);
    await Promise.race([query, next(socket, 'listening')]);
    socket.close();
  }
  see('query', 'no role is needed', cluster.worker);
});
