// Covers: I-24, I-25, I-56
// A child that never reads and is killed: what is unwritten, and its callbacks.
'use strict';
const { see, watch, gone, message, turns, block } = require('../observe_fork');
const childProcess = require('node:child_process');

if (process.argv[2] === 'child') {
  process.send('busy', () => block('never'));
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']), ['message', 'disconnect', 'exit', 'close']);
    child.on('error', (error) => see('C1 errors', "'error'", error.code));
    await message(child);
    const end = gone(child);
    child.send('small', (error) => see('C1 small', 'callback', error));
    await turns();
    child.send('x'.repeat(2_000_000), (error) => see('C1 large', 'callback', error?.code ?? error));
    await turns();
    see('C1', 'killed', child.kill('SIGKILL'));
    await end;
    await turns();
  })();
}
