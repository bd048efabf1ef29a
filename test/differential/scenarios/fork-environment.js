// Covers: C-6, C-31
// What a worker finds in its environment.
'use strict';
const cluster = require('node:cluster');
const { see, gone } = require('../observe');

const names = ['FROM_PARENT', 'REPLACED', 'UNDEFINED', 'NUMBER', 'EMPTY', 'NULL', 'NODE_UNIQUE_ID', 'NODE_CHANNEL_FD', 'NODE_CLUSTER_SCHED_POLICY'];
if (cluster.isPrimary) {
  Object.assign(process.env, { FROM_PARENT: 'p', REPLACED: 'old', UNDEFINED: 'set', NODE_CLUSTER_SCHED_POLICY: 'rr' });
  const worker = cluster.fork({ REPLACED: 'new', UNDEFINED: undefined, NUMBER: 5, EMPTY: '', NULL: null });
  gone(worker).then(() => see('main', 'own', Object.fromEntries(names.map((name) => [name, process.env[name]]))));
} else {
  for (const name of names) see('self', name, process.env[name], Object.hasOwn(process.env, name));
  see('self', 'others of ours or Node', Object.keys(process.env).filter((name) => /CHANNEL|UNIQUE|CLUSTER_INTERNALS/.test(name)));
  cluster.worker.disconnect();
}
