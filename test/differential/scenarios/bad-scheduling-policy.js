// Covers: C-12, C-13
// The policy is looked at once, at the first setup.
'use strict';
const cluster = require('node:cluster');
const { see } = require('../observe');

see('main', 'default', cluster.schedulingPolicy);
for (const policy of [0, 3, 'rr', null, undefined]) {
  cluster.schedulingPolicy = policy;
  try {
    cluster.setupPrimary();
    see('main', 'taken', policy);
  } catch (error) {
    see('main', 'threw', error.name, error.code, error.message.split('\n')[0]);
  }
}
cluster.schedulingPolicy = cluster.SCHED_NONE;
cluster.setupPrimary();
cluster.schedulingPolicy = 'nobody looks any more';
cluster.setupPrimary();
see('main', 'property', cluster.schedulingPolicy);
