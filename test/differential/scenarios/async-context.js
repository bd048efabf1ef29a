// Covers: I-24, N-6, N-10, C-5
// Which store of AsyncLocalStorage a callback sees: of send, listen, disconnect, and of a connection.
'use strict';
const { AsyncLocalStorage } = require('node:async_hooks');
const cluster = require('node:cluster');
const net = require('node:net');
const { see, next, ask, gone } = require('../observe');

const storage = new AsyncLocalStorage();

if (cluster.isPrimary) {
  (async () => {
    const worker = storage.run('fork', () => cluster.fork());
    worker.once('online', () => see('W1', 'online in', storage.getStore()));
    const [{ port }] = await next(worker, 'listening');
    await new Promise((resolve) => storage.run('send', () => worker.send('hello', () => { see('W1', 'sent in', storage.getStore()); resolve(); })));
    see('client', 'got', await ask(port));
    const ended = gone(worker);
    storage.run('disconnect', () => cluster.disconnect(() => see('main', 'disconnected in', storage.getStore())));
    await ended;
  })();
} else {
  storage.run('listen', () => {
    const server = net.createServer((socket) => { see('connection', 'in', storage.getStore()); socket.end('answer'); });
    server.listen(0, () => see('self', 'listening in', storage.getStore()));
    server.on('close', () => see('close', 'in', storage.getStore()));
  });
  process.on('message', () => see('message', 'in', storage.getStore()));
}
