// Covers: N-12, Q-1, N-8
// An HTTP server on a path that is relative to the worker's own cwd; the path is free again when its worker has left.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { see, next, gone, watchWorker } = require('../observe');

const request = (socketPath) => new Promise((resolve) => {
  http.get({ socketPath, path: '/', agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve(`${response.statusCode} ${text}`));
  }).on('error', ({ code }) => resolve(code));
});

if (cluster.isPrimary) {
  (async () => {
    fs.mkdirSync('sub');
    cluster.setupPrimary({ cwd: 'sub', exec: __filename });
    for (let round = 0; round < 2; round++) {
      const worker = watchWorker(cluster.fork());
      const [{ addressType, address }] = await next(worker, 'listening');
      see('main', 'where', addressType, address, fs.readdirSync('sub'));
      see('client', 'got', await request('sub/socket'));
      worker.send('leave');
      await gone(worker);
      see('main', 'left', fs.readdirSync('sub'), await request('sub/socket'));
    }
    const server = net.createServer().listen('sub/socket', () => server.close(() => see('main', 'free for the primary')));
  })();
} else {
  see('self', 'cwd', process.cwd());
  http.createServer((_, response) => response.end('hello')).listen('socket');
  process.on('message', () => cluster.worker.disconnect());
}
