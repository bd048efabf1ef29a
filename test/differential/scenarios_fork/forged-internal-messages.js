// Covers: I-43, I-30
// Messages that pretend to be of the channel itself.
'use strict';
const { see, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

process.on('uncaughtException', (error) => see('uncaught', error.name, error.code));
const FORGED = [{ cmd: 'NODE_HANDLE' }, { cmd: 'NODE_HANDLE_ACK' }, { cmd: 'NODE_HANDLE_NACK' }, { cmd: 'NODE_HANDLE', type: 'net.Socket', msg: 'inside' }];

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    see('self', 'got', value);
    if (value === 'last') process.disconnect();
  });
} else {
  (async () => {
    for (const forged of FORGED) {
      const child = childProcess.fork(__filename, ['child']);
      child.on('error', (error) => see('errors', error.name, error.code));
      const end = gone(child);
      child.send(forged);
      child.send('last');
      await end;
    }
  })();
}
