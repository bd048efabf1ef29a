// Covers: N-8, Q-5
// A server is closed before the primary has answered, and the same object listens again later.
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
    const server = net.createServer().listen(ownPort());
    server.close();
    await roundTrip();
    server.listen(ownPort(), () => see('self', 'listening', server.address()));
    await next(server, 'listening');
    await roundTrip();
    cluster.worker.disconnect();
  })();
}
