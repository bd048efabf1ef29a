// channel.unref() and then channel.ref(): the channel keeps the parent alive again, until the child answers.
// Node 26.10.0 prints: answer
// Bun 1.4.5 (2026-11-29) prints: nothing, and exits with 1
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child']);
  child.unref();
  child.channel.unref();
  child.channel.ref();
  child.on('message', (message) => {
    console.log(message);
    child.kill('SIGKILL');
  });
} else {
  setTimeout(() => process.send('answer'), 500);
}
