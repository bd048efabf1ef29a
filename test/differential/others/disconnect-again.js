// disconnect() of a child whose channel has ended: an 'error' event, and no exception.
// Node 26.10.0 prints: error ERR_IPC_DISCONNECTED
// Deno 2.9.6 (2026-11-29) prints: threw ERR_IPC_DISCONNECTED
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child']);
  child.on('error', ({ code }) => console.log('error', code));
  child.on('exit', () => {
    try {
      child.disconnect();
    } catch ({ code }) {
      console.log('threw', code);
    }
  });
}
