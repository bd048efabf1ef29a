// Covers: I-24, I-59
// A message for a child that is dead, though this is not known yet.
'use strict';
const { see, gone, attempt, message } = require('../observe_fork');
const childProcess = require('node:child_process');
const fs = require('node:fs');

if (process.argv[2] === 'child') process.send('alive', () => process.kill(process.pid, 'SIGKILL'));
else {
  (async () => {
    const child = childProcess.fork(__filename, ['child']);
    child.on('error', (error) => see('C1', "'error'", error));
    await message(child);
    // The kernel closes its channel with the last of its threads; then there is only a zombie.
    while (!/^State:\s+Z/m.test(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8')) || fs.readdirSync(`/proc/${child.pid}/task`).length > 1);
    const end = gone(child);
    attempt('C1', 'with a callback', () => child.send('for a dead one', (error) => see('C1', 'callback', error)));
    process.nextTick(() => {
      see('C1', 'connected', child.connected);
      attempt('C1', 'without', () => child.send('for a dead one'));
    });
    await end;
    see('C1', 'ended', child.signalCode);
  })();
}
