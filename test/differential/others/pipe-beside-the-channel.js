// A worker with a pipe as its fourth descriptor: bytes go both ways.
// Node 26.10.0 prints: there and back
// Bun 1.4.5 (2026-11-29) prints: nothing, and does not end
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  cluster.setupPrimary({ stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'ipc'] });
  const worker = cluster.fork();
  const pipe = worker.process.stdio[3];
  pipe.on('data', (data) => {
    console.log(String(data));
    worker.process.kill('SIGKILL');
  });
  worker.on('online', () => pipe.write('there'));
} else {
  const pipe = new net.Socket({ fd: 3, readable: true, writable: true });
  pipe.on('data', (data) => pipe.write(`${data} and back`));
}
