// Covers: I-24, I-57
// What a child has sent in the same turn in which it is killed, or stops turning.
'use strict';
const { see, watch, gone, next, block, unblock } = require('../observe_fork');
const childProcess = require('node:child_process');

const WAYS = {
  SIGKILL: () => process.kill(process.pid, 'SIGKILL'),
  abort: () => process.abort(),
  block: () => block('go on'),
};

if (process.argv[2] === 'child') {
  for (let at = 0; at < 3; at++) process.send(at);
  WAYS[process.argv[3]]();
} else {
  (async () => {
    for (const way of Object.keys(WAYS)) {
      const child = watch(childProcess.fork(__filename, ['child', way], { silent: true }));
      const end = gone(child);
      if (way === 'block') {
        const all = [];
        child.on('message', (value) => all.push(value));
        while (all.length < 3) await next(child, 'message');
        see('before it turns', 'came', all.length);
        unblock('go on');
      }
      await end;
    }
  })();
}
