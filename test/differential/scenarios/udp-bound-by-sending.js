// Covers: N-11, W-3, W-6, Q-5
// UDP sockets of a worker: bound by their first send, closed in 'listening', bound to what cannot be, and unref-ed.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, next, gone, watchWorker } = require('../observe');

const ways = {
  async sends() {
    const target = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await next(target, 'listening');
    const socket = dgram.createSocket('udp4');
    const heard = next(target, 'message');
    socket.send('hello', target.address().port, '127.0.0.1', (error) => see('sender', 'sent', error));
    see('sender', 'listening', (await next(socket, 'listening')).length);
    const [text, { port }] = await heard;
    see('sender', 'heard', String(text), port === socket.address().port);
    socket.close(() => see('sender', 'closed'));
    target.close();
  },
  async closes() {
    const socket = dgram.createSocket('udp4').bind(0);
    socket.on('listening', () => socket.close(() => see('closes', 'closed')));
    await next(socket, 'close');
    try {
      socket.address();
    } catch ({ code, message }) {
      see('closes', 'address', code ?? message);
    }
  },
  async fails() {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '192.0.2.1');
    const [{ code, syscall, address }] = await next(socket, 'error');
    see('fails', 'error', code, syscall, address);
    socket.bind(0, '127.0.0.1');
    await next(socket, 'listening');
    see('fails', 'bound after it', socket.address().address);
    socket.close();
  },
  async unrefed() {
    const before = dgram.createSocket('udp4').unref().bind(0);
    const after = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await Promise.all([next(before, 'listening'), next(after, 'listening')]);
    see('unrefed', 'gives itself', after.unref() === after, after.ref().unref() === after);
    process.channel.unref();
  },
};

if (cluster.isPrimary) {
  (async () => {
    for (const WAY of Object.keys(ways)) {
      const worker = watchWorker(cluster.fork({ WAY }));
      see(`W${worker.id}`, 'way', WAY);
      await gone(worker);
    }
  })();
} else ways[process.env.WAY]().then(() => { if (process.env.WAY !== 'unrefed') cluster.worker.disconnect(); });
