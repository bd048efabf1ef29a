// A worker whose program throws at its first line: the primary hears 'online', then 'exit'.
// Node 26.10.0 prints: online / exit
// Deno 2.9.6 (2026-11-29) prints: exit
'use strict';
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  cluster.setupPrimary({ silent: true });
  for (const event of ['online', 'exit']) cluster.on(event, () => console.log(event));
  cluster.fork();
} else {
  throw new Error('at the first line');
}
