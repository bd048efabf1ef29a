//
// The primary disconnects its last worker, which has one connection unanswered: what waited is closed at once.
'use strict';
const net = require('node:net');
const { see, watchCluster, watchWorker, next, message, gone, turns } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else primary();

async function worker() {
  const { say, hear, leave } = wire.open();
  say(wire.said(0, { act: 'online' }), wire.said(1, { act: 'queryServer', index: 0, data: null, address: '127.0.0.1', port: 0, addressType: 4 }));
  const { sockname } = await hear();
  say(wire.said(2, { act: 'listening', index: 0, data: null, address: '127.0.0.1', port: sockname.port, addressType: 4 }));
  const { msg } = await hear();
  say({ cmd: 'NODE_HANDLE_ACK' }, 'has one');
  await hear();
  say('told to leave');
  await hear();
  say(wire.said(3, { ack: msg.seq, accepted: true }), 'took it');
  await hear();
  leave();
}

async function primary() {
  watchCluster();
  const worker = watchWorker(wire.fork());
  const [{ port }] = await next(worker, 'listening');
  const clients = [];
  for (let count = 0; count < 3; count++) {
    const got = message(worker);
    const client = net.connect(port, '127.0.0.1').on('error', () => {});
    const ended = next(client.resume(), 'close');
    await next(client, 'connect');
    if (count === 0) await got;
    clients.push({ client, ended });
  }
  await turns(20);
  let told = message(worker);
  worker.disconnect();
  await told;
  await Promise.all(clients.slice(1).map(({ ended }) => ended));
  see('client', 'the waiting ones', 'closed', clients[0].client.destroyed);
  told = message(worker);
  worker.send('take it');
  await told;
  await clients[0].ended;
  see('client', 'the first one', 'closed');
  const end = gone(worker);
  worker.send('leave');
  await end;
}
