// Covers: I-11
// A child writes bytes that are no JSON on its channel.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    see('self', 'got', value);
    process.send('after');
    process.disconnect();
  });
  process.on('disconnect', () => see('self', 'disconnected'));
  fs.writeSync(process.channel.fd, ' "blanks are fine" \r\n{"no JSON\n"lost with it"\n');
} else {
  const child = childProcess.fork(__filename, ['child']);
  process.on('uncaughtException', (error) => {
    see('C1', 'uncaught', error.name);
    child.send('go on');
  });
  child.on('error', (error) => see('C1', "'error'", error.name));
  for (const event of ['message', 'disconnect']) child.on(event, (value) => see('C1', event, value));
}
