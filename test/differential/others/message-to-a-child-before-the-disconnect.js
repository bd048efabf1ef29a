// A parent sends a message and ends the channel: the child gets the message, then 'disconnect'.
// Node 26.10.0 prints: one / disconnect
// Deno 2.9.6 (2026-11-29) prints: disconnect
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child']);
  child.send('one');
  child.disconnect();
} else {
  process.on('message', (message) => console.log(message));
  process.on('disconnect', () => console.log('disconnect'));
}
