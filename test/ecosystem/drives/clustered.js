/** The cluster program that Node's documentation shows, around the app that its argument names. */
'use strict';
const cluster = require('node:cluster');
const path = require('node:path');

if (cluster.isPrimary) {
  let isLeaving = false;
  cluster.on('listening', (worker) => console.log(`listening ${worker.process.pid}`));
  cluster.on('exit', (worker, code, signal) => {
    console.log(`exit ${worker.process.pid} ${signal ?? code}`);
    if (!isLeaving) cluster.fork();
  });
  process.on('SIGTERM', () => {
    isLeaving = true;
    cluster.disconnect(() => process.exit(0));
  });
  for (let n = 0; n < 2; n++) cluster.fork();
} else {
  process.on('SIGTERM', () => {});
  require(path.resolve(__dirname, process.argv[2]));
}
