// Covers: I-1, I-2
// A child forks, and its child; the end of one in the middle ends no other channel.
'use strict';
const { see, watch, gone, message, next } = require('../observe_fork');
const childProcess = require('node:child_process');

const depth = Number(process.argv[2] ?? 0);

(async () => {
  if (depth === 3) {
    process.on('disconnect', () => see('self', "'disconnect'"));
    process.send('from the deepest');
    return;
  }
  const child = watch(childProcess.fork(__filename, [String(depth + 1)]));
  const end = gone(child);
  const [value] = await message(child);
  if (depth > 0) process.send(`${value} by ${depth}`);
  if (depth === 2) {
    // Its own channel ends, its child's does not.
    process.disconnect();
    await next(process, 'disconnect');
    see('self', 'child still connected', child.connected);
    child.disconnect();
  }
  await end;
})();
