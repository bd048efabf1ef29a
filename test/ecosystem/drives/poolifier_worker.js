'use strict';
const { ClusterWorker } = require('poolifier');

module.exports = new ClusterWorker({
  square: ({ n }) => n * n,
  squareAndPid: ({ n }) => ({ square: n * n, pid: process.pid }),
  fail: () => { throw new Error('as asked'); },
  wait: async ({ n }) => {
    await new Promise((resolve) => setTimeout(resolve, n));
    return process.pid;
  },
}, { maxInactiveTime: 60_000 });
