// A Buffer as a message, in the default serialization, JSON.
// Node 26.10.0 prints: {"type":"Buffer","data":[97,98]}
// Deno 2.9.6 (2026-11-29) prints: [97,98]
'use strict';
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('message', (message) => {
    console.log(JSON.stringify(message));
    worker.process.kill('SIGKILL');
  });
} else {
  process.send(Buffer.from('ab'));
}
