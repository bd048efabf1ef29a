// The primary tells a worker to leave while its http server answers a request: the worker answers, and ends.
// Node 26.10.0 prints: finished / exit 0 null
// Bun 1.4.5 (2026-11-29) prints: finished, and does not end
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => {
    http.get({ port, host: '127.0.0.1' }, (response) => response.on('data', (data) => console.log(String(data)))).on('error', (error) => console.log(error.code));
  });
  worker.on('message', () => worker.disconnect());
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  http.createServer((request, response) => {
    process.send('in progress');
    setTimeout(() => response.end('finished'), 300);
  }).listen(0, '127.0.0.1');
}
