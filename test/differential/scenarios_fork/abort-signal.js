// Covers: I-1
// A child is ended by an AbortSignal, before or after it was started.
'use strict';
const { see, watch, gone, attempt, next } = require('../observe_fork');
const childProcess = require('node:child_process');

const quiet = __filename.replace('abort-signal', 'programs/quiet');

(async () => {
  const controllers = [new AbortController(), new AbortController(), new AbortController()];
  controllers[1].abort(new RangeError('a reason'));
  for (const [at, { signal }] of controllers.entries()) {
    const child = watch(childProcess.fork(quiet, { signal, killSignal: at === 2 ? 'SIGKILL' : undefined }), ['spawn', 'disconnect', 'exit']);
    child.on('error', (error) => see(`errors ${at}`, error.name, error.code, error.message, error.cause));
    const end = gone(child);
    await next(child, 'spawn');
    if (at !== 1) controllers[at].abort(at === 2 ? new TypeError('another') : undefined);
    see(`errors ${at}`, 'killed', child.killed);
    await end;
  }
  for (const signal of ['x', {}, null, new EventTarget()]) attempt('bad', 'signal', () => childProcess.fork(quiet, { signal }));
})();
