// Covers: I-1
// A child that takes too long is ended by `killSignal`.
'use strict';
const { watch, gone, attempt } = require('../observe_fork');
const childProcess = require('node:child_process');

const quiet = __filename.replace('scenarios_fork/timeout', 'scenarios_fork/programs/quiet');

(async () => {
  for (const options of [{ timeout: 100 }, { timeout: 100, killSignal: 'SIGKILL' }, { timeout: 100, killSignal: 2 }]) {
    await gone(watch(childProcess.fork(quiet, options), ['disconnect', 'exit']));
  }
  for (const options of [{ timeout: -1 }, { timeout: 'x' }, { timeout: 1.5 }, { killSignal: 'SIGNONE' }, { killSignal: 1000 }]) {
    attempt('bad', Object.entries(options).join(), () => childProcess.fork(quiet, options));
  }
})();
