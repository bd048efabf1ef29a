// Covers: I-3, I-60
// What `process` and a ChildProcess have of a channel.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const { EventEmitter } = require('node:events');

function describe(subject, target) {
  for (const key of ['channel', 'send', 'connected', 'disconnect']) {
    const { value, enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(target, key);
    see(subject, key, typeof value, enumerable, writable, configurable);
  }
  see(subject, 'order', Object.keys(target).filter((key) => ['channel', 'send', 'connected', 'disconnect'].includes(key)));
  const { channel } = target;
  see(subject, 'channel', channel.constructor.name, channel instanceof EventEmitter);
  for (const key of ['ref', 'unref', 'refCounted', 'unrefCounted', 'fd', 'hasRef', 'on']) see(subject, `channel.${key}`, typeof channel[key], channel[key]?.length);
  see(subject, 'returns', channel.ref(), channel.unref(), channel.ref(), channel.refCounted(), channel.unrefCounted());
  see(subject, 'fd', channel.fd > 2 || channel.fd, Object.keys(channel).filter((key) => !key.startsWith('_')));
  see(subject, 'send', target.send.length, target.disconnect.length);
}

if (process.argv[2] === 'child') {
  describe('self', process);
  process.once('disconnect', () => see('self', 'at the end', process.channel, process.connected, 'channel' in process, typeof process.send));
  process.send('ready');
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    describe('C1', child);
    await message(child);
    const end = gone(child);
    child.disconnect();
    await end;
    see('C1', 'at the end', child.channel, child.connected, typeof child.send);
  })();
}
