// Covers: C-6, C-12
// NODE_CLUSTER_SCHED_POLICY as a primary reads it.
'use strict';
const { spawn } = require('node:child_process');
const cluster = require('node:cluster');
const { see, next } = require('../observe');

if (process.argv[2] === 'child') see('self', 'policy', process.env.NODE_CLUSTER_SCHED_POLICY, cluster.schedulingPolicy);
else {
  (async () => {
    for (const [at, policy] of ['rr', 'none', 'RR', '', ' none', undefined].entries()) {
      const env = { ...process.env, DIFF_NAME: `P${at}` };
      if (policy === undefined) delete env.NODE_CLUSTER_SCHED_POLICY;
      else env.NODE_CLUSTER_SCHED_POLICY = policy;
      const [code] = await next(spawn(process.execPath, [...process.execArgv, __filename, 'child'], { env, stdio: 'inherit' }), 'exit');
      see('main', 'exit', code);
    }
  })();
}
