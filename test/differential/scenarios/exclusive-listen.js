// Covers: N-3, W-8
// What listens past the primary: exclusive, an own handle, reusePort; and disconnect leaves it open.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, watchWorker, next, gone, ask, ownPort } = require('../observe');

if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    const server = net.createServer((socket) => socket.end('exclusive')).listen({ port: 0, host: '127.0.0.1', exclusive: true });
    await next(server, 'listening');
    const { port } = server.address();
    see('client', 'got', await ask(port));
    const first = net.createServer().listen({ port: ownPort(), exclusive: true });
    await next(first, 'listening');
    const second = net.createServer().listen({ port: ownPort(), exclusive: true });
    const [{ code }] = await next(second, 'error');
    see('self', 'error', code);
    const shared = net.createServer((socket) => socket.end('shared')).listen({ port: 0, reusePort: Number(process.versions.node.split('.')[0]) >= 22 });
    await next(shared, 'listening');
    see('self', 'state', cluster.worker.state);
    const handle = net.createServer((socket) => socket.end('by handle')).listen({ _handle: first._handle });
    await next(handle, 'listening');
    see('self', 'by handle', handle.address().port === ownPort());
    cluster.worker.disconnect();
    await next(process, 'disconnect');
    see('client', 'still', await ask(port), server.listening);
    for (const one of [server, first, shared]) one.close();
  })();
}
