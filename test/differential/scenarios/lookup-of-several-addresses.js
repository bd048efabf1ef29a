// Covers: N-4, Q-5
// A host whose lookup gives several addresses, a link-local one first, or none at all; and a server closed during it.
'use strict';
const cluster = require('node:cluster');
const dns = require('node:dns');
const net = require('node:net');
const { see, watchCluster, watchWorker, gone, turns } = require('../observe');

const answers = {
  'two.test': [{ address: '127.0.0.1', family: 4 }, { address: '::1', family: 6 }],
  'link-local-first.test': [{ address: 'fe80::1', family: 6 }, { address: '127.0.0.1', family: 4 }],
  'six.test': [{ address: '::1', family: 6 }],
};
if (cluster.isPrimary) {
  watchCluster();
  gone(watchWorker(cluster.fork()));
} else {
  dns.lookup = (host, options, callback = options) => {
    see('self', 'lookup', host, options === callback ? 'no options' : options);
    const found = answers[host];
    setImmediate(() => {
      if (!found) callback(Object.assign(new Error('no such host'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }));
      else if (options.all) callback(null, found);
      else callback(null, found[0].address, found[0].family);
    });
  };
  (async () => {
    // Node 20 takes the first one, where nothing can be bound.
    for (const host of ['two.test', 'six.test', 'none.test', ...(Number(process.versions.node.split('.')[0]) >= 22 ? ['link-local-first.test'] : [])]) {
      const server = net.createServer();
      await new Promise((resolve) => {
        server.on('error', (error) => { see('self', 'error', error.code, error.syscall, server.listening); resolve(); });
        server.listen(0, host, () => { see('self', 'listening', server.address(), server._connectionKey); server.close(resolve); });
      });
    }
    const closed = net.createServer().listen(0, 'two.test', () => see('self', 'listening though closed'));
    closed.close((error) => see('self', 'closed', error.code));
    await turns();
    closed.close();
    cluster.worker.disconnect();
  })();
}
