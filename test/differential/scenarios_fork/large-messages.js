// Covers: I-10, I-11, I-12, I-24
// Messages far larger than the pipe, both ways at once, whole and in order.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const { createHash } = require('node:crypto');

const sizes = [1, 3_000_000, 10, 65_535, 65_536, 131_072, 1_000_003, 7];
const text = (size) => 'aé😀'.repeat(Math.ceil(size / 4)).slice(0, size);
const digest = (value) => [value.length, createHash('sha1').update(value).digest('hex').slice(0, 8)];

function exchange(subject, target, last) {
  let count = 0;
  target.on('message', (value) => {
    see(`${subject} got`, ...digest(value));
    if (++count === sizes.length) last();
  });
  for (const size of sizes) target.send(text(size), (error) => see(`${subject} callbacks`, size, error));
}

if (process.argv[2] === 'child') {
  process.on('message', () => {}); // Holds it until the parent ends the channel.
  exchange('self', process, () => process.send('done'));
} else {
  (async () => {
    const hold = setInterval(() => {}, 1_000_000); // In Node a large message unrefs the parent's channel for good (I-60b).
    for (const serialization of ['json', 'advanced']) {
      const child = childProcess.fork(__filename, ['child'], { serialization });
      const end = gone(child);
      const done = message(child, (value) => value === 'done');
      await new Promise((resolve) => exchange(`C of ${serialization}`, child, resolve));
      await done;
      child.disconnect();
      await end;
    }
    clearInterval(hold);
  })();
}
