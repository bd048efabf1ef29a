// After a child has ended child.channel is null.
// Node 26.10.0 prints: connected false channel null
// Bun 1.4.5 (2026-11-29) prints: connected false channel object
'use strict';
const { fork } = require('node:child_process');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child']);
  child.on('exit', () => setImmediate(() => console.log('connected', child.connected, 'channel', child.channel === null || child.channel === undefined ? child.channel : typeof child.channel)));
}
