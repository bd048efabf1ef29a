// Covers: I-3
// 10: `_channel` is `channel` with a deprecation, and gone from 26 on.
'use strict';
const { see, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

process.on('warning', ({ name, code, message }) => see('self', 'warning', name, code, message));
const look = (subject, target) => {
  const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(target, '_channel') ?? {};
  see(subject, 'property', typeof get, typeof set, enumerable, configurable, Object.keys(target).includes('_channel'));
  see(subject, 'is', target._channel === target.channel, typeof target._channel);
  const { channel } = target;
  target._channel = null;
  see(subject, 'set', target.channel === null);
  target.channel = channel;
};

if (process.argv[2] === 'child') {
  look('self', process);
  process.on('message', () => process.disconnect());
} else {
  const child = childProcess.fork(__filename, ['child']);
  look('C1', child);
  look('C1', child);
  child.send('end');
  gone(child).then(() => see('C1', 'afterwards', child._channel));
}
