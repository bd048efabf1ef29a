// A child sends two messages and ends its channel: the parent gets both, then 'disconnect'.
// Node 26.10.0 prints: one / two / disconnect
// Deno 2.9.6 (2026-11-29) prints: disconnect
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child']);
  child.on('message', (message) => console.log(message));
  child.on('disconnect', () => console.log('disconnect'));
} else {
  process.send('one');
  process.send('two');
  process.disconnect();
}
