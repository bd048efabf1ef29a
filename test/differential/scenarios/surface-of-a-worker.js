// Covers: C-50, C-51, C-61, W-1, W-4
// What `node:cluster` is in a worker, and that nothing is ever emitted on it there.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchWorker, next } = require('../observe');

if (cluster.isPrimary) {
  const worker = watchWorker(cluster.fork());
  next(worker, 'listening').then(() => worker.disconnect());
} else {
  const { emit } = cluster;
  cluster.emit = (event, ...values) => {
    see('self', 'emitted on cluster:', event);
    return emit.call(cluster, event, ...values);
  };
  see('self', 'keys', Object.keys(cluster).filter((name) => name !== 'emit'));
  see('self', 'roles', cluster.isPrimary, cluster.isMaster, cluster.isWorker);
  const { worker } = cluster;
  see('self', 'worker', worker, Object.keys(worker).filter((name) => !name.startsWith('_')), worker.process === process);
  see('self', 'its state', worker.state, worker.exitedAfterDisconnect, worker.isConnected(), worker.isDead());
  see('self', 'Worker', worker instanceof cluster.Worker, Object.getOwnPropertyNames(cluster.Worker.prototype).sort());
  see('self', 'environment', process.env.NODE_UNIQUE_ID, process.env.NODE_CHANNEL_FD, process.env.NODE_CHANNEL_SERIALIZATION_MODE);
  see('self', 'lengths', cluster._getServer.length, cluster._setupWorker.length);
  cluster.schedulingPolicy = cluster.SCHED_RR;
  see('self', 'a policy is nothing to it', cluster.schedulingPolicy);
  for (const event of ['online', 'listening', 'exit', 'disconnect']) worker.on(event, () => see('self', `worker '${event}'`));
  const server = net.createServer().listen(0, () => see('self', 'at listening', worker.state));
  server.on('close', () => see('self', 'server closed'));
}
