// Preloaded into a primary of ours: on SIGUSR2 it prints how long hand-offs have taken since it began, as one line of JSON.
'use strict';
const cluster = require('../../dist/lib/cluster.js');

if (cluster.isPrimary) {
  cluster.counters({ latency: true });
  process.on('SIGUSR2', () => process.stdout.write(`${JSON.stringify({ latency: cluster.counters().latency })}\n`));
}
