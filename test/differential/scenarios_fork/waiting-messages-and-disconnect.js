// Covers: I-31, I-57
// Messages that wait for a listener when the channel ends, and one whose listener ends it.
'use strict';
const { see, gone, next, turns } = require('../observe_fork');
const childProcess = require('node:child_process');

process.on('uncaughtException', (error) => see('uncaught', error.name));

if (process.argv[2] === 'child') {
  process.on('disconnect', () => {});
  for (const value of [1, 2]) process.send(value);
  process.send(3, () => {
    if (process.argv[3] === 'disconnects') process.disconnect();
    process.stdout.write('sent');
  });
} else {
  (async () => {
    const first = childProcess.fork(__filename, ['child', 'disconnects'], { silent: true });
    await gone(first);
    first.on('message', (value) => see('C1', 'got', value));
    await turns();

    const second = childProcess.fork(__filename, ['child'], { silent: true });
    const end = gone(second);
    await next(second.stdout, 'data');
    await turns();
    second.on('message', (value) => {
      see('C2', 'got', value);
      if (value === 1) second.disconnect();
    });
    await end;
    await turns();
  })();
}
