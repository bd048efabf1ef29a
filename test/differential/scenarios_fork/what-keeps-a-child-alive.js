// Covers: I-60, I-61, I-25
// Which listeners and calls keep a child alive as long as its channel is open.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');

const nothing = () => {};
/** Each with what its parent waits for: that the child ends by itself, or only with its channel. */
const WAYS = {
  'nothing': () => {},
  'message': () => process.on('message', nothing),
  'disconnect': () => process.on('disconnect', () => see('self', "'disconnect'")),
  'internalMessage': () => process.on('internalMessage', nothing),
  'other events': () => process.on('exit', nothing).on('foo', nothing),
  'removed': () => process.on('message', nothing).removeListener('message', nothing),
  'one of two removed': () => process.on('message', nothing).on('disconnect', nothing).removeListener('message', nothing),
  'all removed': () => process.on('message', nothing).on('message', () => {}).removeAllListeners('message'),
  'once': () => process.once('message', (value) => see('self', 'got', value)),
  'unref': () => process.on('message', nothing).channel.unref(),
  'unref before': () => process.channel.unref() ?? process.on('message', nothing),
  'ref': () => process.channel.ref(),
  'ref and unref': () => process.channel.ref() ?? process.channel.unref(),
  'unref and ref': () => process.channel.unref() ?? process.channel.ref(),
  'ref and removed': () => process.on('message', nothing).channel.ref() ?? process.removeListener('message', nothing),
  'refCounted': () => process.channel.refCounted(),
  'refCounted twice': () => process.channel.refCounted() ?? process.channel.refCounted() ?? process.channel.unrefCounted(),
  'unrefCounted': () => process.on('message', nothing).channel.unrefCounted(),
};
const HELD = ['message', 'disconnect', 'one of two removed', 'ref', 'unref and ref', 'ref and removed', 'refCounted', 'refCounted twice'];

if (process.argv[2] === 'child') {
  see('self', process.argv[3]);
  process.once('beforeExit', () => see('self', 'nothing keeps it alive', process.connected));
  WAYS[process.argv[3]]();
  setImmediate(() => setImmediate(() => process.send('ready')));
} else {
  (async () => {
    for (const way of Object.keys(WAYS)) {
      const child = childProcess.fork(__filename, ['child', way]);
      const end = gone(child);
      await message(child);
      if (HELD.includes(way)) child.disconnect();
      else if (way === 'once') child.send('hello');
      await end;
    }
  })();
}
