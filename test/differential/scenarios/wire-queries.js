// Covers: M-1, M-2, Q-3, Q-6, Q-11, Q-12, R-2
// Queries as a worker writes them on the wire, and every byte of their answers.
'use strict';
const path = require('node:path');
const { watchCluster, watchWorker, gone, ownPort } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else {
  watchCluster();
  gone(watchWorker(wire.fork()));
}

async function worker() {
  const { say, hear, leave } = wire.open();
  let seq = 0;
  const ask = async (query) => {
    say(wire.said(++seq, { act: 'queryServer', index: 0, data: null, ...query }));
    return hear();
  };
  say(wire.said(seq, { act: 'online' }));
  await ask({ address: null, port: 0, addressType: 4, backlog: 0 });
  await ask({ index: 1, address: '127.0.0.1', port: 0, addressType: 4, flags: 0, backlog: false });
  await ask({ address: '127.0.0.1', port: ownPort(1), addressType: 4, flags: 0, backlog: 3 });
  await ask({ address: '::1', port: ownPort(2), addressType: 6, flags: 1 });
  await ask({ address: path.resolve('a.sock'), port: -1, addressType: -1, backlog: 0 });
  await ask({ address: path.resolve('missing/a.sock'), port: -1, addressType: -1, backlog: 0 });
  await ask({ address: '192.0.2.1', port: ownPort(3), addressType: 4 });
  await ask({ data: { ticketKeys: '0a'.repeat(48) }, address: null, port: ownPort(4), addressType: 4 });
  say(wire.said(++seq, { act: 'listening', index: 0, data: null, address: 'what it says', port: 5, addressType: 'udp6' }));
  say(wire.said(++seq, { act: 'exitedAfterDisconnect' }));
  await hear();
  leave();
}
