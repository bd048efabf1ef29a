// Covers: I-23
// What a stopped worker does not read: all of it is queued, or what is beyond `limits.unreadBytes` refused.
'use strict';
const cluster = require('node:cluster');
const { see, gone, message } = require('../observe');

const COUNT = 40;
const BYTES = 100_000;
if (cluster.isPrimary) primary();
else {
  let received = 0;
  process.on('message', (text) => {
    if (text.length === BYTES) received++;
    else process.send(received);
  });
  process.send('ready');
}

async function primary() {
  cluster.setupPrimary({ limits: { unreadBytes: 1 << 20 } });
  const worker = cluster.fork();
  const end = gone(worker);
  await message(worker);
  worker.process.kill('SIGSTOP');
  const told = Array.from({ length: COUNT }, () => new Promise((resolve) => worker.send('x'.repeat(BYTES), (error) => resolve(error?.code))));
  worker.process.kill('SIGCONT');
  const codes = new Set(await Promise.all(told));
  see('main', 'told', [...codes].sort());
  const answer = message(worker);
  worker.send('how many?');
  see('W1', 'received all', (await answer)[0] === COUNT);
  worker.process.disconnect();
  await end;
}
