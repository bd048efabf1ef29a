// Covers: I-1
// A child that was given its channel by hand, through the variable that Node reads.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    process.send({ echo: value, fd: process.channel.fd }, () => process.disconnect());
  });
} else {
  // Any pipe that stdio gives will do.
  const child = childProcess.spawn(process.execPath, [__filename, 'child'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'], env: { ...process.env, DIFF_NAME: 'X', NODE_CHANNEL_FD: '3' } });
  child.stdio[3].setEncoding('utf8').on('data', (text) => see('bytes', 'got', text)).on('end', () => see('bytes', 'end'));
  child.stdio[3].write('"hello"\n');
  child.on('exit', (code) => see('exit', code));
}
