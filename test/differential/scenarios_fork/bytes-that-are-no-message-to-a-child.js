// Covers: I-11, I-12
// A parent writes bytes that are no message on the channel of a child.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

const BAD = { json: 'no JSON\n"lost with it"\n', advanced: Buffer.from([0, 0, 0, 2, 0xff, 0xff]) };

if (process.argv[2] === 'child') {
  process.on('uncaughtException', (error) => {
    see('self', 'uncaught', error.name);
    process.send('uncaught');
  });
  process.on('message', (value) => see('self', 'got', value));
  process.on('disconnect', () => see('self', 'disconnected'));
  process.send('ready');
} else {
  (async () => {
    for (const serialization of ['json', 'advanced']) {
      const child = childProcess.fork(__filename, ['child'], { serialization });
      await message(child);
      const end = gone(child);
      const { fd } = child.channel;
      fs.writeSync(fd, BAD[serialization]);
      await message(child);
      child.send('after', () => child.disconnect());
      await end;
    }
  })();
}
