// Covers: C-20, C-22, C-24, C-26, C-33
// Settings by assignment instead of setupPrimary, before the first setup and later; and what a worker is started with.
// Only that matters: a program that is no Node and ends at once stands for it.
'use strict';
const cluster = require('node:cluster');
const path = require('node:path');
const { see, next } = require('../observe');

const own = process.execArgv;
process.execPath = '/bin/true';
async function start(what) {
  const worker = cluster.fork();
  const { spawnargs, spawnfile } = worker.process;
  see('main', what, spawnargs.slice(1).filter((flag) => !own.includes(flag)).map((flag) => path.basename(flag)), spawnfile === process.execPath, worker.process.stdout !== null);
  await next(worker, 'exit');
}

(async () => {
  Object.assign(cluster.settings, { exec: __filename, args: ['early'], silent: true });
  await start('before the first setup');
  cluster.settings.args = ['late', '--flag'];
  cluster.settings.silent = false;
  await start('assigned later');
  cluster.settings.args.push('pushed');
  await start('pushed');
  cluster.settings = { args: [], exec: 'another.js' };
  await start('replaced');
  see('main', 'defaults are back', Object.keys(cluster.settings), cluster.settings.silent, cluster.settings.execArgv === process.execArgv);
  for (const execArgv of [['--prof'], ['--prof', '--logfile=mine.log'], ['--prof-process'], ['--stack-trace-limit=5']]) {
    cluster.settings.execArgv = [...own, ...execArgv];
    await start('with flags');
  }
  delete cluster.settings.exec;
  await start('without exec');
})();
