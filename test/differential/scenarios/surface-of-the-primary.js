// Covers: C-5, C-10, C-11, C-12, C-20, C-61
// What `node:cluster` is in a primary before and after its first setup.
'use strict';
const cluster = require('node:cluster');
const { EventEmitter } = require('node:events');
const { see } = require('../observe');

// The observer wraps `fork` under Node; everything else is untouched.
see('main', 'keys', Object.keys(cluster));
for (const key of Object.keys(cluster).filter((name) => !name.startsWith('_'))) {
  const value = cluster[key];
  const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(cluster, key);
  see('main', key, typeof value === 'function' ? `a function of ${value.length}` : value, { writable, enumerable, configurable });
}
see('main', 'aliases', cluster.setupMaster === cluster.setupPrimary, 'worker' in cluster);
see('main', 'is one object', require('cluster') === cluster, cluster instanceof EventEmitter, Object.getPrototypeOf(cluster) === EventEmitter.prototype);
see('main', 'Worker', Object.getOwnPropertyNames(cluster.Worker.prototype).sort(), Object.getPrototypeOf(cluster.Worker.prototype) === EventEmitter.prototype);
see('main', 'a worker is of that class', cluster.Worker.length);
const { execArgv, ...settings } = (cluster.setupPrimary(), cluster.settings);
see('main', 'settings', settings, execArgv === process.execArgv);
import('node:cluster').then((module) => {
  see('main', 'ESM', module.default === cluster, module.isPrimary, module.fork === cluster.fork || 'wrapped', Object.keys(module).filter((name) => !name.startsWith('_')).sort());
});
