// Covers: I-2, I-57
// A grandchild that inherits everything does not hold the channel of its parent open.
'use strict';
const { watch, gone, message } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  const grandchild = childProcess.spawn('/bin/sh', ['-c', 'read line; exit 0'], { stdio: ['pipe', 'inherit', 'inherit'], detached: true });
  grandchild.on('spawn', () => process.send('started', () => process.kill(process.pid, 'SIGKILL')));
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']), ['message', 'disconnect', 'exit', 'close']);
    const end = gone(child);
    await message(child);
    await end;
  })();
}
