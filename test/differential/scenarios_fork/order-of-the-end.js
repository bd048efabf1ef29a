// Covers: I-57
// The end of a child as its parent sees it: channel, process, streams.
// Dies: C4 of uncaught
'use strict';
const { watch, look, next } = require('../observe_fork');
const childProcess = require('node:child_process');

const WAYS = {
  'exits': () => process.exit(2),
  'ends by itself': () => {},
  'disconnects': () => process.disconnect(),
  'throws': () => { throw new Error('uncaught'); },
  'is killed': () => process.kill(process.pid, 'SIGKILL'),
  'terminates': () => process.kill(process.pid, 'SIGTERM'),
};

if (process.argv[2] === 'child') {
  process.stdout.write('output');
  process.once('message', () => WAYS[process.argv[3]]());
} else {
  (async () => {
    for (const way of Object.keys(WAYS)) {
      const child = watch(childProcess.fork(__filename, ['child', way], { silent: true }), ['spawn', 'disconnect', 'exit', 'close']);
      for (const event of ['disconnect', 'exit', 'close']) child.on(event, () => look(child, `at '${event}'`));
      child.stderr.resume();
      child.stdout.resume();
      const closed = next(child, 'close');
      child.send('now');
      await closed;
    }
  })();
}
