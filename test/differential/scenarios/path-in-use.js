// Covers: M-2, R-3, N-7
// A path that exists already, and one in a directory that does not.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, watchCluster, watchWorker, gone } = require('../observe');

if (cluster.isPrimary) {
  fs.writeFileSync('taken.sock', '');
  watchCluster();
  const worker = watchWorker(cluster.fork());
  gone(worker);
} else {
  const failures = ['taken.sock', 'nowhere/x.sock', 'taken.sock'];
  const attempt = () => {
    const path = failures.shift();
    if (path === undefined) return cluster.worker.disconnect();
    net.createServer().on('error', ({ code, syscall, errno, address, port, message }) => {
      see('self', 'error', code, syscall, errno, address, port, message);
      attempt();
    }).listen(path);
  };
  attempt();
}
