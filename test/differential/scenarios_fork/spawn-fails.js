// Covers: I-57, I-22
// A program that cannot be started at all.
'use strict';
const { see, watch, attempt, next, turns, look } = require('../observe_fork');
const childProcess = require('node:child_process');

(async () => {
  for (const options of [{ cwd: '/does/not/exist' }, { execPath: '/does/not/exist' }, { execPath: __filename }]) {
    const child = watch(childProcess.fork(__filename, options), ['spawn', 'message', 'disconnect', 'exit', 'close']);
    const subject = Object.entries(options).join();
    child.on('error', ({ code, syscall, message }) => see(subject, "'error'", code, syscall, message));
    see(subject, 'pid', child.pid);
    look(child, 'at first');
    const disconnected = next(child, 'disconnect');
    attempt(subject, 'send', () => child.send('hello', (error) => see(`${subject} callback`, error?.code)));
    await disconnected;
    await turns();
    look(child, 'at the end');
    attempt(subject, 'send', () => child.send('late', (error) => see(`${subject} callback`, error?.code)));
    await turns();
  }
})();
