// Covers: N-11, S-2
// A UDP socket that the primary has bound takes every option, as one of the worker's own does.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, next, gone } = require('../observe');

const attempt = (what, call) => {
  try {
    const value = call();
    see('socket', what, typeof value === 'number' ? value > 0 : value);
  } catch (error) {
    see('socket', what, error.code ?? error.name);
  }
};

if (cluster.isPrimary) {
  gone(cluster.fork());
} else {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4096, sendBufferSize: 4096 });
  socket.bind(0, async () => {
    attempt('receives', () => socket.getRecvBufferSize());
    attempt('sends', () => socket.getSendBufferSize());
    attempt('set', () => { socket.setRecvBufferSize(8192); socket.setSendBufferSize(8192); });
    attempt('broadcast', () => socket.setBroadcast(true));
    attempt('ttl', () => socket.setTTL(3));
    attempt('wrong ttl', () => socket.setTTL(1000));
    attempt('multicast ttl', () => socket.setMulticastTTL(2));
    attempt('loopback', () => socket.setMulticastLoopback(true));
    attempt('no group', () => socket.addMembership('127.0.0.1'));
    attempt('left before it came', () => socket.dropMembership('224.0.0.114'));
    attempt('interface', () => socket.setMulticastInterface('127.0.0.1'));
    attempt('queue', () => [socket.getSendQueueSize?.(), socket.getSendQueueCount?.()]);
    const { port } = socket.address();
    const heard = next(socket, 'message');
    socket.send([Buffer.from('two '), Buffer.from('parts')], port, '127.0.0.1');
    const [text, { family, size }] = await heard;
    see('socket', 'heard', String(text), family, size);
    cluster.worker.disconnect();
  });
}
