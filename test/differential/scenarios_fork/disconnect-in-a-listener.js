// Covers: I-55, I-57
// One side ends the channel inside a message listener, with more messages behind.
'use strict';
const { see, watch, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.on('disconnect', () => see('self', 'disconnected'));
  process.on('message', (value) => {
    see('self', 'got', value);
    if (value === process.argv[3]) process.disconnect();
  });
} else {
  (async () => {
    const first = watch(childProcess.fork(__filename, ['child', 'two']));
    const firstEnd = gone(first);
    // All of them are there before the child reads.
    for (const value of ['one', 'two', 'three', 'four']) first.send(value);
    await firstEnd;

    const second = watch(childProcess.fork(__filename, ['child', 'never']));
    second.once('message', () => second.disconnect());
    const secondEnd = gone(second);
    second.send('one');
    second.emit('message', 'by hand');
    await secondEnd;
  })();
}
