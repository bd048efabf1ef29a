// Covers: C-61, C-64, P-4, P-5, P-22
// isConnected, isDead, state and exitedAfterDisconnect at each event, for each way to leave.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchWorker, look, lookAtEachEvent, next, gone } = require('../observe');

const ways = {
  'worker.disconnect': (worker) => worker.disconnect(),
  'worker.kill': (worker) => worker.kill(),
  'process.disconnect': (worker) => worker.process.disconnect(),
  'process.kill': (worker) => worker.process.kill('SIGKILL'),
  'a message': (worker) => worker.send('disconnect'),
  'another message': (worker) => worker.send('kill'),
};
if (cluster.isPrimary) {
  (async () => {
    for (const [way, leave] of Object.entries(ways)) {
      const worker = watchWorker(cluster.fork());
      see(`W${worker.id}`, 'way', way);
      lookAtEachEvent(worker);
      worker.process.on('exit', () => look(worker, "at process 'exit':"));
      worker.process.on('disconnect', () => look(worker, "at process 'disconnect':"));
      worker.process.on('close', () => look(worker, "at process 'close':"));
      await next(worker, 'listening');
      const end = gone(worker);
      leave(worker);
      look(worker, 'right after:');
      await end;
    }
  })();
} else {
  process.on('message', (what) => cluster.worker[what]());
  net.createServer().listen(0);
}
