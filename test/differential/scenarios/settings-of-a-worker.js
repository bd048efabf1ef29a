// Covers: C-24, C-26, C-33
// exec, args, cwd and execArgv reach the worker, and stay for the next one.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const path = require('node:path');
const { see, watchWorker, gone } = require('../observe');

(async () => {
  fs.mkdirSync('elsewhere');
  cluster.setupPrimary({
    exec: path.join(__dirname, 'programs/tells-its-start.js'), args: ['--one', 'two words', ''], cwd: path.resolve('elsewhere'),
    execArgv: [...process.execArgv, '--no-warnings', '--stack-trace-limit=20'],
  });
  await gone(watchWorker(cluster.fork()));
  cluster.setupPrimary({ args: ['later'] });
  await gone(watchWorker(cluster.fork()));
  see('main', 'kept', cluster.settings.args, path.basename(cluster.settings.exec), path.basename(cluster.settings.cwd));
})();
