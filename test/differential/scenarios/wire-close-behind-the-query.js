// Covers: P-7, P-8
// A worker asks for an address and closes it in the same breath, while the primary still binds.
'use strict';
const { see, watchWorker, gone, ask, ownPort } = require('../observe');
const wire = require('../wire');

if (wire.here) {
  const { say, hear, leave } = wire.open();
  const query = { act: 'queryServer', index: 0, data: null, address: null, port: ownPort(), addressType: 4 };
  say(wire.said(0, { act: 'online' }), wire.said(1, query), wire.said(2, { act: 'close', key: `null:${ownPort()}:4:undefined` }),
    wire.said(3, { act: 'close', key: `null:${ownPort()}:4:undefined:0` }), 'closed');
  hear().then(leave);
} else primary();

async function primary() {
  process.on('uncaughtExceptionMonitor', (error) => see('main', 'uncaught', error.name));
  const worker = watchWorker(wire.fork());
  const end = gone(worker);
  worker.on('message', async () => {
    see('client', 'got', await ask(ownPort()));
    worker.send('leave');
  });
  await end;
}
