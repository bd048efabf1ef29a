// Covers: C-5
// A program in ESM: default and named imports in both roles. A stock worker exports no `fork` and no `workers`.
'use strict';
const fs = require('node:fs');
const cluster = require('node:cluster');
const path = require('node:path');
const { see, watchCluster, watchWorker, gone } = require('../observe');

fs.writeFileSync('program.mjs', `
  import cluster, { isPrimary, isWorker, worker } from 'node:cluster';
  import observe from ${JSON.stringify(path.join(__dirname, '../observe.js'))};
  import { createServer } from 'node:net';
  observe.see('self', 'imports', isPrimary, isWorker, worker === cluster.worker, worker?.id, typeof cluster.fork);
  createServer((socket) => socket.end('from ESM')).listen(0, async function () {
    observe.see('client', 'got', await observe.ask(this.address().port));
    cluster.worker.disconnect();
  });
`);
watchCluster();
cluster.setupPrimary({ exec: path.resolve('program.mjs') });
gone(watchWorker(cluster.fork()));
import('node:cluster').then(({ isPrimary, isWorker, workers }) => see('main', 'imports', isPrimary, isWorker, workers === cluster.workers));
