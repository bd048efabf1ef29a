// Covers: I-24, I-25, I-60
// An unwritten message keeps a child alive that nothing else does.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.once('beforeExit', () => see('self', 'nothing keeps it alive'));
  process.send('x'.repeat(1_000_000), (error) => see('self', 'callback', error));
  process.send('behind it');
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    child.on('message', (value) => see('C1', 'got', value.length));
    await gone(child);
  })();
}
