// Covers: C-32
// Which flags start an inspector in a worker, and how the worker's port is computed from the primary's.
'use strict';
const cluster = require('node:cluster');
const { see, next } = require('../observe');

process.debugPort = 30000;
// This scenario looks only at the arguments of a worker. So /bin/true, which ends at once, is started instead of Node.
process.execPath = '/bin/true';
(async () => {
  const own = process.execArgv;
  const start = async (...values) => {
    const worker = cluster.fork();
    see('main', ...values, worker.process.spawnargs.filter((flag) => flag.includes('inspect')));
    await next(worker, 'exit');
  };
  for (const flag of ['--inspect', '--inspect=127.0.0.1:0', '--inspect-brk', '--inspect-port=7', '--inspect-publish-uid=http', '--no-warnings', '--inspector']) {
    cluster.setupPrimary({ execArgv: [...own, flag] });
    await start(flag);
  }
  cluster.setupPrimary({ execArgv: [...own, '--inspect'] });
  cluster.setupPrimary({ inspectPort: 4000 });
  await start('a number');
  let asked = 0;
  cluster.setupPrimary({ inspectPort: () => 5000 + asked++ });
  await start('a function');
  await start('a function again');
  cluster.setupPrimary({ inspectPort: undefined });
  await start('the default again');
  process.debugPort = 65530;
  await start('above the last port');
  process.debugPort = 30000;
  cluster.setupPrimary({ execArgv: own });
  for (const options of ['--inspect', '--no-warnings --inspect-port=0', '--no-warnings']) {
    // Node reads NODE_OPTIONS once for each `execArgv` array and keeps the result, so each round needs a new array.
    cluster.setupPrimary({ execArgv: [...own] });
    process.env.NODE_OPTIONS = options;
    await start('by NODE_OPTIONS', options);
  }
})();
