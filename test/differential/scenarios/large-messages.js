// Covers: I-10, I-12, I-24, I-25
// Messages larger than a pipe, both ways and many at once, in either serialization.
'use strict';
const cluster = require('node:cluster');
const { see, gone, message } = require('../observe');

if (cluster.isPrimary) primary();
else {
  let written = 0;
  process.on('message', ({ at, text }) => {
    see('self', 'got', at, text.length);
    // The callback of a write that was not done at once may come after those of later ones that were.
    process.send({ at, text }, (error) => {
      see(`callback ${at}`, 'callback', error);
      if (++written === 10) process.send('done', () => process.disconnect());
    });
  });
  process.send('ready');
}

async function primary() {
  // In Node a large message unrefs the parent's channel for good (I-60b).
  const hold = setInterval(() => {}, 1_000_000);
  for (const serialization of ['json', 'advanced']) {
    cluster.setupPrimary({ serialization });
    const worker = cluster.fork();
    await message(worker);
    worker.on('message', (value) => see(`W${worker.id}`, 'got', value.at, value.text?.length));
    const end = gone(worker);
    for (let at = 0; at < 10; at++) {
      worker.send({ at, text: 'é'.repeat(at % 2 ? 10 : 300_000) }, (error) => see(`W${worker.id} callback ${at}`, 'callback', error));
    }
    await end;
  }
  clearInterval(hold);
}
