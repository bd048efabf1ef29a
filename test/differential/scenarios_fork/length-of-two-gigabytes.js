// Covers: I-14
// A length of 2 GiB in front of a message: the receiver waits for it.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

if (process.argv[2] === 'child') {
  process.on('uncaughtException', (error) => {
    see('self', 'uncaught', error.name);
    process.exit(9);
  });
  process.on('message', (value) => see('self', 'got', value));
  process.on('disconnect', () => see('self', 'disconnected'));
  process.send('ready');
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child'], { serialization: 'advanced' });
    await message(child);
    const end = gone(child);
    fs.writeSync(child.channel.fd, Buffer.from([0x80, 0, 0, 0, 0xff, 0x0f, 0x30]));
    setImmediate(() => { if (child.connected) child.disconnect(); });
    await end;
  })();
}
