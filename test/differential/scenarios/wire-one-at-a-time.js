// Covers, I-32
// A worker gets its next connection when it has answered for the last; the others wait for it, or for a new worker.
'use strict';
const net = require('node:net');
const { see, watchWorker, next, message, gone, turns } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else primary();

async function worker() {
  const { say, hear, leave } = wire.open();
  let seq = 0;
  const acknowledge = { cmd: 'NODE_HANDLE_ACK' };
  say(wire.said(seq++, { act: 'online' }));
  say(wire.said(seq, { act: 'queryServer', index: 0, data: null, address: '127.0.0.1', port: 0, addressType: 4 }));
  const { key, sockname } = await hear();
  say(wire.said(++seq, { act: 'listening', index: 0, data: null, address: '127.0.0.1', port: sockname.port, addressType: 4 }));
  if (process.env.DIFF_NAME === 'R1') {
    for (const accepted of [true, true, false]) {
      const { type, msg } = await hear();
      see('newconn', type, msg.key === key);
      say(acknowledge, 'has one');
      await hear();
      say(wire.said(++seq, { ack: msg.seq, accepted }));
    }
    // What it refused it gets again, since nobody else is there.
    const { msg } = await hear();
    say(acknowledge, 'has one');
    await hear();
    say(wire.said(++seq, { act: 'close', key }), wire.said(++seq, { ack: msg.seq, accepted: false }));
  } else {
    const { msg } = await hear();
    say(acknowledge, wire.said(++seq, { ack: msg.seq, accepted: true }), 'took it');
  }
  await hear();
  leave();
}

async function primary() {
  const first = watchWorker(wire.fork());
  const [{ port }] = await next(first, 'listening');
  const clients = [];
  for (let count = 0; count < 3; count++) {
    const got = message(first);
    const client = net.connect(port, '127.0.0.1').on('error', () => {});
    clients.push(client);
    await next(client, 'connect');
    if (count === 0) await got;
  }
  await turns(20);
  for (let count = 0; count < 3; count++) {
    const more = message(first);
    first.send('go on');
    await more;
  }
  const second = watchWorker(wire.fork());
  await next(second, 'listening');
  const took = message(second);
  first.send('close and refuse');
  await took;
  for (const worker of [first, second]) {
    const end = gone(worker);
    worker.send('leave');
    await end;
  }
  for (const client of clients) client.destroy();
}
