// Covers: C-26, C-33
// Where a worker's output goes: inherited, piped by `silent`, or as `stdio` says.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const { see, watchWorker, next } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.stdout.write(`out of ${cluster.worker.id}\n`);
  process.stderr.write(`err of ${cluster.worker.id}\n`);
  if (process.env.EXTRA) fs.writeSync(Number(process.env.EXTRA), 'on a pipe of its own\n');
  process.disconnect();
}

async function primary() {
  see('main', 'inherited', await output({}));
  see('main', 'silent', await output({ silent: true }));
  see('main', 'stdio as a string', await output({ silent: false, stdio: 'pipe' }));
  see('main', 'stdio as an array', await output({ stdio: ['ignore', 'pipe', 'ignore', 'ipc', 'pipe'] }, { EXTRA: 4 }));
  see('main', 'ipc first', await output({ stdio: ['ipc', 'pipe', 'pipe'] }));
}

async function output(settings, env) {
  cluster.setupPrimary(settings);
  const worker = watchWorker(cluster.fork(env));
  const { stdio } = worker.process;
  const seen = stdio.map((stream) => (stream ? '' : null));
  stdio.forEach((stream, at) => stream?.on('data', (text) => { seen[at] += text; }));
  await next(worker.process, 'close');
  return [seen, worker.process.stdin === null, worker.process.stdout === null];
}
