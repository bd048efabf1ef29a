// Covers: Q-2, W-6, P-23
// Twenty servers and ten UDP sockets of one worker: no warning, and a disconnect closes the servers, each once.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');
const { see, next, gone, directionsApart } = require('../observe');

directionsApart();
process.on('warning', ({ name, message }) => see('warning', name, message));
if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    let listening = 0;
    worker.on('listening', () => { listening++; });
    await next(worker, 'message');
    see('main', 'listening', listening);
    worker.send('leave');
    const ended = gone(worker);
    const [code] = await next(worker, 'exit');
    await ended;
    see('main', 'ended', code);
  })();
} else {
  (async () => {
    const servers = Array.from({ length: 20 }, () => net.createServer().listen(0));
    await Promise.all(servers.map((server) => next(server, 'listening')));
    const sockets = Array.from({ length: 10 }, () => dgram.createSocket('udp4').bind(0));
    await Promise.all(sockets.map((socket) => next(socket, 'listening')));
    see('ports', 'different', new Set(servers.map((server) => server.address().port)).size, new Set(sockets.map((socket) => socket.address().port)).size);
    let closed = 0;
    for (const server of servers) server.on('close', () => { closed++; });
    process.on('exit', () => see('ports', 'closed', closed));
    process.once('message', () => { for (const socket of sockets) socket.close(); cluster.worker.disconnect(); });
    process.send('ready');
  })();
}
