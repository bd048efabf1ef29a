// Covers: C-64, W-1, W-4, W-6, W-9, N-7, Q-5
// The state strings in a worker, from its first line to its last.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    watchCluster();
    for (const WAY of ['disconnect', 'kill', 'destroy', 'primary']) {
      const worker = watchWorker(cluster.fork({ WAY }));
      const end = gone(worker);
      if (WAY === 'primary') {
        await next(worker, 'message');
        worker.disconnect();
      }
      await end;
    }
  })();
} else {
  const { worker } = cluster;
  const look = (when) => see('self', when, worker.state, worker.exitedAfterDisconnect, worker.isConnected(), worker.isDead());
  for (const event of ['online', 'listening', 'exit', 'fork', 'setup', 'disconnect']) {
    worker.on(event, () => look(`at worker '${event}':`));
    cluster.on(event, () => see('self', 'never', event));
  }
  process.on('disconnect', () => look("at process 'disconnect':"));
  process.on('exit', () => look("at 'exit':"));
  (async () => {
    look('at first:');
    const failing = net.createServer().listen({ path: '/does not exist/a.sock' });
    await next(failing, 'error');
    look('after an error:');
    const server = net.createServer().listen(0);
    server.prependListener('listening', () => look("before 'listening':"));
    server.on('listening', () => look("at 'listening':"));
    await next(server, 'listening');
    server.close();
    look('after close:');
    const again = net.createServer().listen(0);
    await next(again, 'listening');
    const way = process.env.WAY;
    if (way === 'primary') return process.send('ready');
    see('self', 'gave', worker[way]('SIGKILL') === worker);
    look('after it:');
    again.on('close', () => look("at 'close':"));
  })();
}
