// Covers: C-1, C-2, C-4
// NODE_UNIQUE_ID in the environment of processes that no primary started.
'use strict';
const { spawn } = require('node:child_process');
const cluster = require('node:cluster');
const { see, next } = require('../observe');

if (process.env.DIFF_CHILD) {
  see('self', 'roles', cluster.isPrimary, cluster.isWorker, cluster.worker?.id, process.env.NODE_UNIQUE_ID, typeof process.send);
} else {
  (async () => {
    const show = 'const c = require("node:cluster"); console.log(c.isWorker, c.isPrimary, c.worker && c.worker.id, process.env.NODE_UNIQUE_ID)';
    for (const id of ['5', '', '0', 'x']) {
      const env = { ...process.env, NODE_UNIQUE_ID: id, DIFF_CHILD: '1', DIFF_NAME: `C${id}`, DIFF_TRACE: '' };
      await next(spawn(process.execPath, [...process.execArgv, '-e', show], { env, stdio: 'inherit' }), 'exit');
      await next(spawn(process.execPath, [...process.execArgv, __filename], { env: { ...env, DIFF_TRACE: process.env.DIFF_TRACE }, stdio: 'inherit' }), 'exit');
    }
  })();
}
