// Covers: M-3, Q-10, R-3, R-13
// A worker asks twice for one address under the same index.
// Dies on 20: P of ERR_INTERNAL_ASSERTION
'use strict';
const { see, watchWorker, gone, ownPort } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else {
  process.on('uncaughtExceptionMonitor', (error) => see('main', 'uncaught', error.name, error.code));
  gone(watchWorker(wire.fork()));
}

async function worker() {
  const { say, hear, leave } = wire.open();
  const query = { act: 'queryServer', index: 0, data: null, address: '127.0.0.1', port: ownPort(), addressType: 4 };
  say(wire.said(0, { act: 'online' }), wire.said(1, query));
  await hear();
  say(wire.said(2, query));
  await hear();
  leave();
}
