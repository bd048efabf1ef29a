// Covers: I-60
// A child and its channel both keep the parent alive, until both are unref'ed.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');

const WAYS = {
  'child unrefed': (child) => child.unref(),
  'both unrefed': (child) => child.unref() ?? child.channel.unref(),
  'channel unrefed, later ref': (child) => child.unref() ?? child.channel.unref() ?? child.channel.ref(),
};

if (process.argv[2] === 'grandchild') {
  process.on('disconnect', () => see('self', "'disconnect'"));
  process.once('message', () => process.disconnect());
  process.send('ready');
} else if (process.argv[2] === 'parent') {
  (async () => {
    const way = process.argv[3];
    see('self', way);
    const child = childProcess.fork(__filename, ['grandchild']);
    await message(child);
    process.once('beforeExit', () => see('self', 'nothing keeps it alive', child.connected));
    WAYS[way](child);
    if (way !== 'both unrefed') setImmediate(() => setImmediate(() => child.send('leave')));
  })();
} else {
  (async () => {
    for (const way of Object.keys(WAYS)) await gone(childProcess.fork(__filename, ['parent', way]));
  })();
}
