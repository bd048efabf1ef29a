// Two workers with an http server: round robin gives each the same share of new connections. Printed is how many each has
// answered, the smaller number first.
// Node 26.10.0 prints: requests 5 5
// Bun 1.4.5 (2026-11-29) prints: requests 0 10
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  const workers = [cluster.fork(), cluster.fork()];
  let listening = 0;
  cluster.on('listening', async (_worker, { port }) => {
    if (++listening < workers.length) return;
    const counts = [0, 0, 0];
    for (let count = 0; count < 10; count++) {
      const id = await new Promise((resolve) => http.get({ port, host: '127.0.0.1', agent: false }, (response) => {
        response.setEncoding('utf8').on('data', resolve);
      }));
      counts[id]++;
    }
    console.log('requests', ...[counts[1], counts[2]].sort((one, other) => one - other));
    for (const worker of workers) worker.process.kill('SIGKILL');
  });
} else {
  http.createServer((request, response) => response.end(String(cluster.worker.id))).listen(0, '127.0.0.1');
}
