// A socket is sent to a child: server.getConnections of the parent counts it, as long as the child has it.
// Node 26.10.0 prints: 1
// Bun 1.4.5 (2026-11-29) prints: 0
'use strict';
const { fork } = require('node:child_process');
const net = require('node:net');

if (process.argv[2] !== 'child') {
  const child = fork(__filename, ['child']);
  const server = net.createServer((socket) => child.send('take it', socket));
  child.on('message', () => {
    server.getConnections((error, count) => {
      console.log(error ? error.code : count);
      process.exit();
    });
  });
  server.listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1'));
} else {
  process.on('message', (message, socket) => process.send('have it', () => socket.resume()));
}
