// Covers: I-60
// E9: refCounted and unrefCounted on a parent's channel, in every order: does it keep the parent alive?
'use strict';
const { see, gone, next } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') process.on('disconnect', () => process.exit());
else if (process.argv[2] === 'parent') {
  const child = childProcess.fork(__filename, ['child'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.unref();
  for (const operation of process.argv[3].split(',')) child.channel[operation]();
  // The second timer runs only in a process that is kept alive: the first may be due in the first turn of one that stood still.
  let deadline = setTimeout(() => { deadline = setTimeout(() => process.exit(7), 20).unref(); }, 600).unref();
  process.on('exit', () => clearTimeout(deadline));
} else {
  const orders = ['refCounted,unrefCounted', 'unrefCounted', 'unref,ref', 'unrefCounted,refCounted', 'unref,refCounted', 'refCounted,unrefCounted,refCounted'];
  (async () => {
    await Promise.all(orders.map(async (order) => {
      const parent = childProcess.fork(__filename, ['parent', order]);
      await gone(parent);
      see(order, parent.exitCode === 7 ? 'is kept alive' : 'ends by itself');
    }));
  })();
}
