// serialization 'advanced': a message that cannot be cloned makes send throw, and the program goes on.
// Node 26.10.0 prints: threw / hello back
// Deno 2.9.6 (2026-11-29) prints: nothing, and exits with 1
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child'], { serialization: 'advanced' });
  try {
    child.send({ no() {} });
  } catch {
    console.log('threw');
  }
  child.on('message', (message) => {
    console.log(message);
    child.kill('SIGKILL');
  });
  child.send('hello');
} else {
  process.on('message', (message) => process.send(`${message} back`));
}
