// Covers: I-60b
// A large message that was written leaves the channel of a parent as it was.
'use strict';
const { see, message } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.on('message', (value) => {
    if (value === 'answer me') process.send('answer');
  });
  process.on('error', () => {}); // The parent may be gone.
  process.send('ready');
} else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    await message(child);
    child.unref();
    process.once('beforeExit', () => see('self', 'nothing keeps it alive'));
    child.on('message', (value) => {
      see('answers', 'got', value);
      child.disconnect();
    });
    child.send('x'.repeat(1_000_000), () => setImmediate(() => child.send('answer me')));
  })();
}
