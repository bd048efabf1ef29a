// Covers: I-24, I-56
// The primary closes the channel while a message is unwritten: what its callback says.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const { see, message, gone } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', ({ text }) => see('self', 'got', text?.length));
  process.send('busy', () => { while (!fs.existsSync('go on')); });
}

async function primary() {
  const worker = cluster.fork();
  await message(worker);
  worker.send({ text: 'x'.repeat(5_000_000) }, (error) => see('W1', 'callback', error?.code ?? error));
  const end = gone(worker);
  worker.process.disconnect();
  fs.writeFileSync('go on', '');
  await end;
  see('W1', 'ended', worker.process.exitCode);
}
