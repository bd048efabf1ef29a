// Covers: I-3
// Up to Node 22 the channel says when it is no longer counted.
'use strict';
const { see, message } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  const listener = () => {};
  process.channel.on('unref', () => see('self', "'unref'"));
  for (const event of ['message', 'disconnect']) {
    see('self', event);
    process.on(event, listener);
    process.removeListener(event, listener);
  }
} else childProcess.fork(__filename, ['child']);
