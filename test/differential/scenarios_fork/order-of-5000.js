// Covers: I-10, I-12, I-57
// 5,000 messages each way arrive once, in order, also when the channel ends right behind them.
'use strict';
const { see, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

const COUNT = 5_000;

/** Counts what comes, until the last one has come. */
function count(subject, target) {
  let expected = 0;
  return new Promise((resolve) => target.on('message', (value) => {
    if (value === 'end') return resolve(see(subject, 'in order', expected));
    if (value.at !== expected) see(subject, 'out of order', value.at, expected);
    expected++;
  }));
}

function sendAll(target) {
  for (let at = 0; at < COUNT; at++) target.send({ at, text: 'x'.repeat(at % 50) });
  return new Promise((resolve) => target.send('end', resolve));
}

if (process.argv[2] === 'child') {
  const all = count('self', process);
  process.once('message', async () => {
    await Promise.all([sendAll(process), all]);
    process.disconnect();
  });
} else {
  (async () => {
    const hold = setInterval(() => {}, 1_000_000); // I-60b
    for (const serialization of ['json', 'advanced']) {
      const child = childProcess.fork(__filename, ['child'], { serialization });
      count(`C of ${serialization}`, child);
      const end = gone(child);
      sendAll(child);
      await end;
    }
    clearInterval(hold);
  })();
}
