// Covers: N-3, N-11
// dgram connect before and after bind, the implicit bind of send, and unref of a shared socket.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, watchWorker, next, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    const peer = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await next(peer, 'listening');
    const { port } = peer.address();
    const implicit = dgram.createSocket('udp4');
    implicit.connect(port, '127.0.0.1');
    await next(implicit, 'connect');
    see('self', 'connected', implicit.remoteAddress().address, implicit.address().address, cluster.worker.state);
    const bound = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    bound.unref();
    await next(bound, 'listening');
    bound.connect(port, '127.0.0.1');
    await next(bound, 'connect');
    for (const socket of [implicit, bound]) {
      const heard = next(peer, 'message');
      socket.send('hello');
      const [, from] = await heard;
      see('self', 'from it', from.port === socket.address().port);
    }
    bound.disconnect();
    see('self', 'still bound', bound.address().address);
    implicit.close();
    cluster.worker.disconnect();
    next(bound, 'close').then(() => see('self', 'closed by disconnect'));
  })();
}
