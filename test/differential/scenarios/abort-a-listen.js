// Covers: N-4, N-8, W-21
// An AbortSignal in the options of listen. It aborts before listen, before the primary has replied, or after 'listening'.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone, roundTrip, answerRoundTrips, directionsApart } = require('../observe');

directionsApart();
if (cluster.isPrimary) {
  watchCluster();
  gone(answerRoundTrips(watchWorker(cluster.fork())));
} else {
  (async () => {
    for (const when of ['before', 'meanwhile', 'after']) {
      const controller = new AbortController();
      if (when === 'before') controller.abort();
      const server = net.createServer();
      for (const event of ['listening', 'close', 'error']) server.on(event, () => see('self', when, event));
      server.listen({ port: 0, host: '127.0.0.1', signal: controller.signal });
      if (when === 'meanwhile') controller.abort();
      if (when === 'after') {
        await next(server, 'listening');
        controller.abort();
      }
      await roundTrip();
      see('self', when, server.listening, server.address());
      if (server.listening) server.close();
    }
    await roundTrip();
    cluster.worker.disconnect();
  })();
}
