// Covers: P-1, P-2, I-10, I-20, I-30
// Messages of every kind from primary to worker and back, and where they are told.
'use strict';
const cluster = require('node:cluster');
const { see, watchCluster, watchWorker, message, gone } = require('../observe');

const values = [
  'text', '', 'ünïcode \u2028 \n \u{1F600}', 0, -1.5, true, false, null, [], [1, [2]], {}, { nested: { deep: [1, null] } }, { missing: undefined, nan: NaN },
  new Date(0), Buffer.from([1, 2, 3]), { toJSON: () => 'its JSON' }, { cmd: 'NODE_' }, { cmd: 'other' }, 'x'.repeat(300),
];
if (cluster.isPrimary) primary();
else {
  cluster.worker.on('message', (...received) => {
    see('self', "worker 'message'", ...received, received.length);
    see('self', 'send gave', cluster.worker.send(received[0]));
    if (received[0] === 'end') process.disconnect();
  });
  process.on('message', (...received) => see('self', "process 'message'", received.length));
  process.send('ready');
}

async function primary() {
  watchCluster();
  cluster.on('message', (...received) => see('W1', 'arguments on cluster', received.length));
  const worker = watchWorker(cluster.fork());
  worker.process.on('message', (...received) => see('W1', "process 'message'", received.length));
  worker.on('message', (...received) => see('W1', 'arguments on worker', received.length));
  const end = gone(worker);
  await message(worker);
  for (const value of [...values, 'end']) {
    see('W1', 'send gave', worker.send(value));
    await message(worker);
  }
  await end;
}
