// Covers: P-1, P-2, C-61, I-30
// A listener throws: which other listeners of that event do not run, and that the next event comes all the same.
'use strict';
const cluster = require('node:cluster');
const { see, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('uncaughtException', (error) => see('self', 'uncaught', error.message));
  process.on('message', (value) => {
    see('self', 'got', value);
    if (value === 1) throw new Error('in the worker');
    if (value === 3) cluster.worker.disconnect();
  });
  for (const value of ['a', 'b', 'c', 'd']) process.send(value);
}

async function primary() {
  process.on('uncaughtException', (error) => see('main', 'uncaught', error.message));
  const worker = cluster.fork();
  const thrown = new Set();
  const throwOnce = (who) => (...values) => {
    see('main', who, values.filter((value) => typeof value !== 'object' && value !== undefined));
    if (thrown.has(who)) return;
    thrown.add(who);
    throw new Error(who);
  };
  for (const event of ['online', 'message', 'disconnect', 'exit']) {
    worker.on(event, throwOnce(`worker '${event}'`));
    cluster.on(event, throwOnce(`cluster '${event}'`));
  }
  // Before the others, or it would not be reached itself.
  worker.process.prependListener('message', (value) => { if (value === 'd') for (const answer of [1, 2, 3]) worker.send(answer); });
  await Promise.all(['exit', 'disconnect'].map((event) => new Promise((resolve) => worker.process.prependOnceListener(event, resolve))));
  await turns();
  see('main', 'at the end', worker.state, worker.exitedAfterDisconnect, Object.keys(cluster.workers));
}
