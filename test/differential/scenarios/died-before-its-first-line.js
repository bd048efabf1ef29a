// Covers: C-33, P-4, P-5, P-23
// Programs that do not exist, do not compile, throw or exit at their start. None of them asks for
// anything: a stock primary that answers the dead may die of it (D18).
// Dies: W1 of Cannot find module
// Dies: W2 of on purpose
// Dies: W3 of SyntaxError
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const { see, watchCluster, watchWorker, lookAtEachEvent, gone } = require('../observe');

(async () => {
  watchCluster();
  fs.writeFileSync('throws.js', 'throw new Error("on purpose")');
  fs.writeFileSync('broken.js', 'this is no program');
  fs.writeFileSync('exits.js', 'process.exit(4)');
  fs.writeFileSync('ends.js', 'process.channel.unref()');
  for (const exec of ['does-not-exist.js', 'throws.js', 'broken.js', 'exits.js', 'ends.js']) {
    cluster.setupPrimary({ exec });
    const worker = watchWorker(cluster.fork());
    see(`W${worker.id}`, 'program', exec);
    lookAtEachEvent(worker);
    await gone(worker);
  }
})();
