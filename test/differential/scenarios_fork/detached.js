// Covers: I-1
// A detached child leads a process group of its own, and lives on when its parent lets go of it.
'use strict';
const { see, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.on('message', (value) => { if (value === 'leave') process.disconnect(); });
  process.send('ready');
} else {
  (async () => {
    for (const detached of [true, false]) {
      const child = childProcess.fork(__filename, ['child'], { detached });
      await message(child);
      try {
        see('main', 'a group', process.kill(-child.pid, 0));
      } catch (error) {
        see('main', 'no group', error.code);
      }
      const end = gone(child);
      child.send('leave');
      await end;
    }
  })();
}
