// Covers: P-30, P-32
// The numbers of the primary's messages to two workers.
'use strict';
const { see, watchCluster, watchWorker, message, gone } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else primary();

async function worker() {
  const { say, hear, leave } = wire.open();
  say(wire.said(0, { act: 'online' }));
  say(wire.said(41, { act: 'exitedAfterDisconnect' }));
  const { seq } = await hear();
  see('number', 'of the answer', seq);
  say('answered');
  await hear();
  leave();
}

async function primary() {
  watchCluster();
  const workers = [];
  for (let count = 0; count < 2; count++) {
    const worker = watchWorker(wire.fork());
    await message(worker);
    workers.push(worker);
  }
  for (const worker of workers) {
    const end = gone(worker);
    worker.send('leave');
    await end;
  }
}
