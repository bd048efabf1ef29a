// Covers: C-34
// A working directory that does not exist: the process never starts.
'use strict';
const cluster = require('node:cluster');
const { see, watchCluster, watchWorker, look, lookAtEachEvent, next } = require('../observe');

(async () => {
  watchCluster();
  cluster.setupPrimary({ cwd: 'no/such/directory' });
  const worker = watchWorker(cluster.fork());
  lookAtEachEvent(worker);
  look(worker, 'after fork:');
  see('W1', 'pid', worker.process.pid);
  worker.on('error', ({ code, syscall }) => see('W1', "'error'", code, syscall));
  await next(worker, 'disconnect');
  look(worker, 'at the end:');
})();
