// Says something on stdout and stderr, answers one message, and ends.
'use strict';
const { fstatSync, writeSync } = require('node:fs');
process.once('message', (value) => {
  for (const fd of [1, 2]) if (process.channel.fd !== fd) writeSync(fd, `on ${fd}`);
  process.send({ answer: value, channel: process.channel.fd > 2 ? 'above 2' : process.channel.fd, stdin: fstatSync(0).isCharacterDevice() });
});
