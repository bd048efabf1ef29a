// Covers: N-8
// A server listens elsewhere before the primary has answered the first time: two queries, one server.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchWorker, next, gone, ownPort, directionsApart, roundTrip, answerRoundTrips } = require('../observe');

if (cluster.isPrimary) {
  directionsApart();
  const worker = answerRoundTrips(watchWorker(cluster.fork()));
  worker.removeAllListeners('listening');
  gone(worker);
} else {
  (async () => {
    const closed = net.createServer().listen(ownPort());
    closed.close();
    closed.listen(ownPort(1), () => see('self', 'listening', closed.address()));
    await next(closed, 'listening');
    await roundTrip();
    const twice = net.createServer();
    twice.listen(ownPort(2), () => see('self', 'first of two'));
    twice.listen(ownPort(3), () => see('self', 'second of two', twice.address()));
    await next(twice, 'listening');
    await roundTrip();
    cluster.worker.disconnect();
  })();
}
