// Covers: N-8, Q-5
// A server is closed before the primary has answered.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone, ownPort, directionsApart, roundTrip, answerRoundTrips } = require('../observe');

if (cluster.isPrimary) {
  directionsApart();
  watchCluster();
  gone(answerRoundTrips(watchWorker(cluster.fork())));
} else {
  (async () => {
    const server = net.createServer().listen(ownPort(), () => see('self', 'never'));
    server.close((error) => see('self', 'closed', error?.code));
    see('self', 'state', server.listening, server.address());
    await roundTrip();
    const again = net.createServer().listen(ownPort(), () => see('self', 'listening', again.address()));
    await next(again, 'listening');
    await roundTrip();
    cluster.worker.disconnect();
  })();
}
