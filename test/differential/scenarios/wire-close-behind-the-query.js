// Covers: P-7, P-8
// A worker asks for an address and closes it in the same breath, while the primary still binds.
// Dies: P of reading 'close'
'use strict';
const { see, watchWorker, gone, ask, ownPort } = require('../observe');
const wire = require('../wire');

if (wire.here) {
  const { say, hear, leave } = wire.open();
  const query = { act: 'queryServer', index: 0, data: null, address: null, port: ownPort(), addressType: 4 };
  const key = `null:${ownPort()}:4:undefined${Number(process.versions.node.split('.')[0]) < 22 ? ':0' : ''}`;
  say(wire.said(0, { act: 'online' }), wire.said(1, query), wire.said(2, { act: 'close', key }), 'closed');
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
