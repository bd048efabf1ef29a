// Covers: C-5, C-63, P-2
// captureRejections: what an async listener rejects with is an 'error' of the emitter that called it; of a server, of the socket.
'use strict';
require('node:events').captureRejections = true;
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, ask, gone } = require('../observe');

const rejects = (what) => async (argument) => {
  argument.on?.('error', (error) => see('socket', 'error', error));
  throw new Error(`in ${what}`);
};

if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    worker.on('error', (error) => see('worker', 'error', error));
    cluster.on('error', (error) => see('self', 'error', error));
    cluster.on('online', rejects('a listener of the cluster'));
    const [{ port }] = await next(worker, 'listening');
    worker.on('message', rejects("the worker's listener"));
    const failed = next(worker, 'error');
    worker.send('hello');
    await failed;
    see('client', 'got', await ask(port));
    worker.send('leave');
    await gone(worker);
  })();
} else {
  const server = net.createServer(rejects('a connection')).listen(0);
  server.on('error', (error) => see('self', 'error of the server', error));
  process.on('message', (text) => (text === 'leave' ? cluster.worker.disconnect() : process.send('answer')));
}
