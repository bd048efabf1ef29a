// Covers: I-57
// Sends signals to a child: what `kill` returns, the value of `killed`, and how the child ends.
'use strict';
const { see, watch, gone, attempt, message, look } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.on('message', () => {});
  process.on('SIGUSR2', () => process.send('got SIGUSR2'));
  if (process.argv[3] === 'stubborn') process.on('SIGTERM', () => process.send('got SIGTERM'));
  process.send('ready');
} else {
  (async () => {
    for (const signal of [undefined, 'SIGKILL', 9, 'SIGINT']) {
      const child = watch(childProcess.fork(__filename, ['child']));
      await message(child);
      const end = gone(child);
      attempt('kill', 'alive', () => child.kill(0));
      look(child, 'before');
      attempt('kill', 'unknown', () => child.kill('SIGNONE'));
      attempt('kill', signal, () => child.kill(signal));
      look(child, 'after');
      await end;
      attempt('kill', 'dead', () => child.kill());
      look(child, 'at the end');
    }
    const child = watch(childProcess.fork(__filename, ['child', 'stubborn']));
    await message(child);
    const end = gone(child);
    for (const signal of ['SIGUSR2', 'SIGTERM']) {
      attempt('kill', signal, () => child.kill(signal));
      await message(child);
    }
    if (child[Symbol.dispose]) see('kill', 'dispose', typeof child[Symbol.dispose]);
    child.kill('SIGKILL');
    await end;
  })();
}
