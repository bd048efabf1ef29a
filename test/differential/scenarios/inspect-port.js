// Covers: C-32
// The inspector's port of each worker, by number and by function.
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    cluster.setupPrimary({ silent: true });
    for (const settings of [{ inspectPort: 0 }, { inspectPort: 0, execArgv: [...process.execArgv, '--inspect=0'] }, { inspectPort: () => 0 }, { inspectPort: () => { see('main', 'asked'); return '0'; } }]) {
      cluster.setupPrimary(settings);
      await gone(watchWorker(cluster.fork()));
    }
  })();
} else {
  see('self', 'flags', process.execArgv.filter((flag) => flag.startsWith('--inspect')));
  process.disconnect();
}
