// The primary disconnects a worker whose http server has answered a request: the worker ends.
// Node 26.10.0 prints: 200 / exit 0 null
// Bun 1.4.5 (2026-11-29) prints: 200, and does not end
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => {
    http.get({ port, host: '127.0.0.1', agent: false }, (response) => {
      console.log(response.statusCode);
      response.resume().on('end', () => worker.disconnect());
    });
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  http.createServer((request, response) => response.end('hello')).listen(0, '127.0.0.1');
}
