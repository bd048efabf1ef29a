// Covers: I-57, I-23
// Sixty messages of one turn (Node loses what the pipe has no room for: I-57), and then the end: all arrive, in order, once, before it is told.
// Which of 'disconnect' and 'exit' comes first is a race on Node, too: they are recorded apart.
// Dies: C2 of after its messages
'use strict';
const { see, watch, gone } = require('../observe_fork');
const childProcess = require('node:child_process');

const COUNT = 60;
const WAYS = {
  exit: () => process.exit(4),
  throw: () => { throw new Error('after its messages'); },
  'exit in a tick': () => process.nextTick(() => process.exit(4)),
  'SIGTERM that it hears': () => {
    setInterval(() => {}, 1000); // It lives until it hears it.
    process.on('SIGTERM', () => process.exit(3));
    process.kill(process.pid, 'SIGTERM');
  },
  'SIGTERM in the next turn': () => setImmediate(() => process.kill(process.pid, 'SIGTERM')),
  disconnect: () => process.disconnect(),
};

if (process.argv[2] === 'child') {
  for (let at = 0; at < COUNT; at++) process.send({ at, text: 'ä'.repeat(at % 20) });
  WAYS[process.argv[3]]();
} else {
  (async () => {
    for (const way of Object.keys(WAYS)) {
      const child = watch(childProcess.fork(__filename, ['child', way], { silent: true }), ['exit']);
      const came = [];
      child.on('message', ({ at, text }) => came.push(text.length === at % 20 ? at : -1));
      child.on('disconnect', () => see(way, 'came before the end', came.length, came.every((at, place) => at === place)));
      await gone(child);
    }
  })();
}
