// Covers: C-5, P-2, W-4
// events.once, events.on and AbortSignal with a worker, the cluster and the worker's own process.
'use strict';
const cluster = require('node:cluster');
const { once, on } = require('node:events');
const { see, gone } = require('../observe');

if (cluster.isPrimary) {
  (async () => {
    const worker = cluster.fork();
    const [which] = await once(cluster, 'online');
    see('main', 'online', which === worker);
    worker.send('count');
    const numbers = [];
    for await (const [number] of on(worker, 'message')) {
      numbers.push(number);
      if (number === 3) break;
    }
    see('main', 'numbers', numbers, worker.listenerCount('message'), worker.listenerCount('error'));
    const aborted = once(worker, 'listening', { signal: AbortSignal.abort() });
    see('main', 'aborted', await aborted.catch(({ code }) => code), worker.listenerCount('listening'));
    const controller = new AbortController();
    const waiting = once(cluster, 'exit', { signal: controller.signal }).catch(({ code }) => code);
    controller.abort();
    see('main', 'aborted later', await waiting, cluster.listenerCount('exit'));
    const ended = gone(worker);
    worker.disconnect();
    await ended;
  })();
} else {
  (async () => {
    await once(process, 'message');
    for (let number = 1; number <= 3; number++) process.send(number);
    await once(cluster.worker, 'disconnect');
    see('self', 'disconnected');
  })();
}
