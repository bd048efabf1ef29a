// Covers: W-20, W-21, W-22, N-6
// What a server's handle is in a worker: what it has and has not, and what its methods give.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    for (const where of [{ port: 0, host: '127.0.0.1' }, { path: 'a.sock' }]) {
      const server = net.createServer().listen(where);
      await next(server, 'listening');
      const { _handle: handle } = server;
      const names = ['close', 'listen', 'ref', 'unref', 'getsockname', 'fd', 'hasRef', 'getAsyncId', 'readStart', 'onconnection'];
      see('self', 'has', Object.fromEntries(names.map((name) => [name, typeof handle[name]])));
      see('self', 'gives', handle.listen(5), handle.ref(), handle.unref(), server.listening, server._connectionKey);
      const out = {};
      if (handle.getsockname) see('self', 'getsockname', handle.getsockname(out), out.address, out.family, out.port === server.address().port);
      see('self', 'owner', Object.getOwnPropertySymbols(handle).some((symbol) => handle[symbol] === server));
      see('self', 'close', handle.close(), handle.close());
      const after = {};
      if (handle.getsockname) see('self', 'afterwards', handle.getsockname(after), after);
      server.close((error) => see('self', 'closed', error));
      await next(server, 'close');
    }
    cluster.worker.disconnect();
  })();
}
