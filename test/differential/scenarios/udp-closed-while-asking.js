// Covers: N-11, N-8, Q-5
// A dgram socket is closed while the primary binds, with success and in vain; and what binds the port afterwards.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, watchWorker, next, gone, ownPort, roundTrip, answerRoundTrips, directionsApart } = require('../observe');

directionsApart();
if (cluster.isPrimary) primary();
else {
  (async () => {
    for (const port of [ownPort(), ownPort(1)]) {
      const socket = dgram.createSocket('udp4');
      for (const event of ['listening', 'error', 'close']) socket.on(event, () => see('self', 'closed at once', event));
      socket.bind(port, '127.0.0.1');
      socket.close();
      await next(socket, 'close');
      await roundTrip();
      const second = dgram.createSocket('udp4');
      for (const event of ['listening', 'error', 'close']) second.on(event, () => see('self', 'closed when asked', event));
      second.bind(port, '127.0.0.1');
      // The lookup of the address is over, the primary's answer is not here.
      await new Promise((resolve) => setImmediate(resolve));
      second.close();
      await roundTrip();
    }
    const again = dgram.createSocket('udp4').bind(ownPort(), '127.0.0.1');
    await next(again, 'listening');
    see('self', 'bound', again.address());
    try {
      again.bind(0);
    } catch ({ code }) {
      see('self', 'threw', code);
    }
    await roundTrip();
    cluster.worker.disconnect();
  })();
}

async function primary() {
  watchCluster();
  const blocker = dgram.createSocket('udp4').bind(ownPort(1), '127.0.0.1');
  await next(blocker, 'listening');
  await gone(answerRoundTrips(watchWorker(cluster.fork())));
  blocker.close();
}
