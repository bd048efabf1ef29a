// Covers: M-2, S-1, S-2, S-3, Q-12
// The answers that carry a socket, for UDP and for an address that cannot be bound.
'use strict';
const dgram = require('node:dgram');
const { see, watchWorker, message, gone, ownPort } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else primary();

async function worker() {
  const { say, hear, leave } = wire.open();
  const query = { act: 'queryServer', index: 0, data: null, address: '127.0.0.1', port: ownPort(), addressType: 'udp4', fd: -1, flags: 0 };
  say(wire.said(0, { act: 'online' }), wire.said(1, query));
  const { msg } = await hear();
  say({ cmd: 'NODE_HANDLE_ACK' }, wire.said(2, { ...query, address: '192.0.2.1' }));
  await hear();
  say('bound');
  await hear();
  say(wire.said(3, { act: 'close', key: msg.key }), wire.said(4, { act: 'close', key: msg.key }), 'closed');
  await hear();
  leave();
}

async function primary() {
  const worker = watchWorker(wire.fork());
  await message(worker);
  see('main', 'while it is bound', await bind());
  worker.send('close');
  await message(worker);
  see('main', 'after it', await bind());
  const end = gone(worker);
  worker.send('leave');
  await end;
}

async function bind() {
  const socket = dgram.createSocket('udp4');
  const result = await new Promise((resolve) => {
    socket.on('error', ({ code }) => resolve(code));
    socket.bind(ownPort(), '127.0.0.1', () => resolve('free'));
  });
  socket.close();
  return result;
}
