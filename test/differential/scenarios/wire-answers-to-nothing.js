// Covers: P-30, P-32
// A worker answers what it was never asked, under numbers of another worker's hand-offs and of nobody's.
'use strict';
const { see, watchCluster, watchWorker, gone } = require('../observe');
const wire = require('../wire');

if (wire.here) worker();
else primary();

async function worker() {
  const { say, hear, leave } = wire.open();
  // In one write, so that all of it has come when the primary looks at the first answer.
  say(
    wire.said(0, { act: 'online' }),
    { cmd: 'NODE_CLUSTER', ack: 0, accepted: false }, { cmd: 'NODE_CLUSTER', ack: 77, accepted: true }, { cmd: 'NODE_CLUSTER', ack: 'x' },
    wire.said(41, { act: 'exitedAfterDisconnect' }),
  );
  await hear();
  see('number', 'was answered');
  leave();
}

async function primary() {
  watchCluster();
  const worker = watchWorker(wire.fork());
  worker.on('error', ({ code }) => see('main', 'error', code));
  await gone(worker);
}
