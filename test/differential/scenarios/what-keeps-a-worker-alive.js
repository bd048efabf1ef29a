// Covers: W-3, W-21, I-60
// What keeps a worker alive: its channel, and a server unless it is unref'ed.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchWorker, message, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    for (const WAY of ['unref the channel', 'unref both', 'ref again']) {
      const worker = watchWorker(cluster.fork({ WAY }));
      const end = gone(worker);
      if (WAY !== 'unref both') {
        await message(worker);
        worker.kill('SIGKILL');
      }
      await end;
    }
  })();
} else {
  const way = process.env.WAY;
  const server = net.createServer().listen(0, () => {
    process.channel.unref();
    if (way === 'unref both') server.unref();
    if (way === 'ref again') server.unref().ref();
    if (way !== 'unref both') setImmediate(() => setImmediate(() => process.send('alive')));
    see('self', 'listening');
  });
}
