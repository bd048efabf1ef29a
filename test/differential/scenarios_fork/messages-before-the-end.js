// Covers: I-57
// What a child has sent before it ended its channel or itself arrives before the end is told.
// Dies: C4 of after its messages
'use strict';
const { see, watch, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

const WAYS = {
  disconnect: () => process.disconnect(),
  exit: () => process.exit(4),
  'exit in a listener': () => {},
  throw: () => { throw new Error('after its messages'); },
  'exit by itself': () => {},
};

if (process.argv[2] === 'child') {
  const way = process.argv[3];
  if (way === 'throw') process.on('uncaughtExceptionMonitor', () => see('self', 'throws'));
  if (way === 'exit in a listener') {
    process.on('message', () => {
      for (let at = 0; at < 3; at++) process.send(at);
      process.exit(5);
    });
    process.on('exit', () => see('self', 'connected', process.connected, process.send('in the exit listener')));
  } else {
    for (let at = 0; at < 3; at++) process.send(at);
    WAYS[way]();
  }
} else {
  (async () => {
    for (const way of Object.keys(WAYS)) {
      const child = watch(childProcess.fork(__filename, ['child', way], { silent: true }));
      const end = gone(child);
      child.send('now');
      await end;
    }
  })();
}
