// Covers: M-1, N-11, S-1, Q-6
// How dgram's options look in the query, and what is bound for them; send, connect and setters work on the shared socket.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, watchWorker, next, gone } = require('../observe');

const ways = [
  [{ type: 'udp4' }, 0], [{ type: 'udp4' }, 0, '127.0.0.1'], [{ type: 'udp6' }, 0], [{ type: 'udp6' }, 0, '::1'],
  [{ type: 'udp6', ipv6Only: true }, 0], [{ type: 'udp4', reuseAddr: true }, { port: 0, address: '127.0.0.1' }],
  [{ type: 'udp6', reuseAddr: true, ipv6Only: true }, { port: 0, address: '::1' }], [{ type: 'udp4', recvBufferSize: 20_000, sendBufferSize: 20_000 }, 0, '127.0.0.1'],
];
if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  (async () => {
    for (const [options, ...way] of ways) {
      const socket = dgram.createSocket(options).bind(...way);
      await next(socket, 'listening');
      const { address, port, family } = socket.address();
      const host = options.type === 'udp4' ? '127.0.0.1' : '::1';
      see('self', 'bound', options, { address, family }, port > 0, socket.getRecvBufferSize() > 0);
      socket.setBroadcast(true);
      socket.setTTL(9);
      const client = dgram.createSocket(options.type);
      client.connect(port, host);
      await next(client, 'connect');
      client.send('hello');
      const [data, from] = await next(socket, 'message');
      socket.send(`echo of ${data}`, from.port, from.address);
      see('self', 'client got', String((await next(client, 'message'))[0]), from.family);
      client.close();
      socket.close();
      await next(socket, 'close');
    }
    cluster.worker.disconnect();
  })();
}
