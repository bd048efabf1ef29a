// cluster.disconnect(): every worker ends, and the callback comes.
// Node 26.10.0 prints: disconnected / exit 0 / exit 0
// Bun 1.4.5 (2026-11-29) prints: nothing, and does not end
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
if (cluster.isPrimary) {
  let listening = 0;
  for (let count = 0; count < 2; count++) cluster.fork();
  cluster.on('listening', () => { if (++listening === 2) cluster.disconnect(() => console.log('disconnected')); });
  cluster.on('exit', (worker, code) => console.log('exit', code));
} else {
  http.createServer().listen(0, '127.0.0.1');
}
