// Covers: C-13, C-30, C-32, C-33
// What fork throws at once, and that an id is used up by it.
'use strict';
const cluster = require('node:cluster');
const { inspect } = require('node:util');
const { see, watchWorker } = require('../observe');

if (cluster.isWorker) process.disconnect();
else {
  // What is started all the same is a program that is no Node and ends at once.
  const { execPath } = process;
  process.execPath = '/bin/true';
  const good = { ...(cluster.setupPrimary(), cluster.settings) };
  const bad = [
    { exec: undefined }, { exec: 5 }, { exec: null }, { exec: 'a\0b' }, { stdio: ['pipe', 'pipe', 'pipe'] }, { stdio: ['ipc', 'ipc'] }, { stdio: 'nonsense' },
    { args: 'text' }, { args: [5, {}] , exec: 7 }, { serialization: 'other' }, { cwd: 5 }, { uid: 'x' }, { inspectPort: null }, { inspectPort: 70000, execArgv: ['--inspect'] }, { inspectPort: () => 'x', execArgv: ['--inspect'] },
    { windowsHide: 'yes' }, { silent: 'yes', exec: undefined },
  ];
  for (const settings of bad) {
    cluster.settings = { ...good, ...settings };
    const count = Object.keys(cluster.workers).length;
    const described = inspect(settings);
    try {
      const worker = cluster.fork();
      see('main', 'started', described, worker.id);
    } catch (error) {
      see('main', 'threw', described, error, Object.keys(cluster.workers).length === count);
    }
  }
  cluster.settings = good;
  process.execPath = execPath;
  const worker = watchWorker(cluster.fork());
  see('main', 'next id', worker.id);
}
