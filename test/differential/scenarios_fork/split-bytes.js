// Covers: I-11, I-12
// Messages that arrive byte by byte, and many in one write.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    see('self', 'got', value);
    if (value !== 'last') process.send('next');
    else process.disconnect();
  });
  process.send('ready');
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    await message(child);
    const end = gone(child);
    const { fd } = child.channel;
    for (const byte of Buffer.from('"é😀"\n')) {
      fs.writeSync(fd, Buffer.from([byte]));
      // Each byte is a read of its own: the child answers when it has come to the end.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await message(child);
    fs.writeSync(fd, '1\n\t2 \n"last"\n');
    await end;
  })();
}
