// Covers: I-12
// Native objects of Node, which cannot be cloned, are sent as plain copies.
'use strict';
const { see, attempt } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    see('self', 'got', Object.keys(value), typeof value.native, Object.getPrototypeOf(value.native) === Object.prototype);
    process.disconnect();
  });
} else {
  const child = childProcess.fork(__filename, ['child'], { serialization: 'advanced' });
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const handle = server._handle;
    server.close();
    // What hangs on it cannot be cloned.
    for (const key of [...Object.keys(handle), ...Object.getOwnPropertySymbols(handle)]) delete handle[key];
    let sent = false;
    attempt('C1', 'sent', () => {
      const returned = child.send({ native: handle });
      sent = true;
      return returned;
    });
    if (!sent) child.send({ native: {} });
  });
}
