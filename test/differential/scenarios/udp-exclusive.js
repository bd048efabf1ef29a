// Covers: N-3, N-11, W-8
// dgram exclusive, implicitly bound sockets and a bad address: what goes past the primary, and errors.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, watchWorker, next, gone, ownPort } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    const own = dgram.createSocket('udp4').bind({ port: 0, address: '127.0.0.1', exclusive: true });
    await next(own, 'listening');
    const client = dgram.createSocket('udp4');
    const heard = next(own, 'message');
    client.send('x', own.address().port, '127.0.0.1');
    see('self', 'heard', String((await heard)[0]));
    client.close();
    const shared = dgram.createSocket('udp4').bind(ownPort(), '127.0.0.1');
    await next(shared, 'listening');
    for (const exclusive of [true, false]) {
      const again = dgram.createSocket('udp4');
      again.bind({ port: ownPort(1), address: '192.0.2.1', exclusive });
      const [{ code, syscall, address, port }] = await next(again, 'error');
      see('self', 'error', exclusive, code, syscall, address, port);
      again.close();
    }
    see('self', 'disconnects');
    cluster.worker.disconnect();
    process.once('disconnect', () => { see('self', 'the exclusive one is open', own.address().address); own.close(); });
  })();
}
