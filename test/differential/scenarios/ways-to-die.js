// Covers: P-4, P-5, P-22, P-23, W-5
// process.exit(7), exit 0, an uncaught exception, SIGKILL, abort, an exitCode: what the primary sees of each.
// Dies: W3 of on purpose
// Dies: W4 of on purpose
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, look, lookAtEachEvent, watchWorker, gone } = require('../observe');

const ways = {
  exit7: () => process.exit(7),
  exit0: () => process.exit(0),
  throws: () => { throw new Error('on purpose'); },
  rejects: () => { Promise.reject(new Error('on purpose')); },
  killed: () => process.kill(process.pid, 'SIGKILL'),
  terminated: () => process.kill(process.pid, 'SIGTERM'),
  exitCode: () => { process.exitCode = 5; see('self', 'isDead', cluster.worker.isDead()); cluster.worker.disconnect(); },
  disconnects: () => process.disconnect(),
};
if (cluster.isPrimary) primary();
else {
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.exitedAfterDisconnect));
  process.on('disconnect', () => see('self', "process 'disconnect'"));
  net.createServer().listen(0, ways[process.env.WAY]);
}

async function primary() {
  watchCluster();
  for (const WAY of Object.keys(ways)) {
    const worker = watchWorker(cluster.fork({ WAY }));
    see(`W${worker.id}`, 'way', WAY);
    lookAtEachEvent(worker);
    await gone(worker);
    look(worker, 'at the end:');
  }
}
