// Covers: C-5, C-10, C-11, C-61
// isMaster and setupMaster give no warning, the functions need no `this`, and every property can be replaced.
'use strict';
const cluster = require('node:cluster');
const { see, next, gone } = require('../observe');

if (cluster.isWorker) {
  see('self', 'roles', cluster.isMaster, cluster.setupMaster);
  const { disconnect } = cluster.worker;
  cluster.worker.disconnect();
  see('self', 'is a method', typeof disconnect);
} else {
  process.on('warning', ({ name, message }) => see('main', 'warning', name, message));
  const { setupMaster, setupPrimary, fork, disconnect, isMaster } = cluster;
  see('main', 'roles', isMaster, setupMaster === setupPrimary, setupMaster.call(null, { args: ['x'] }), cluster.settings.args);
  see('main', 'lengths', setupPrimary.length, fork.length, disconnect.length);
  for (const name of Object.keys(cluster)) {
    const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(cluster, name);
    if (!(writable && enumerable && configurable)) see('main', 'not ordinary', name);
  }
  const worker = fork();
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(worker)).sort();
  see('main', 'methods', methods, methods.map((name) => typeof worker[name]), Object.keys(worker).filter((name) => !name.startsWith('_')));
  gone(worker).then(() => next(process, 'exit'));
}
