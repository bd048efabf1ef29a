// Covers: P-3, Q-1, Q-9, M-1, M-2, N-9
// Unix sockets: absolute, relative to another directory, too long, with modes, and who removes the file.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { see, watchCluster, forkListening, gone, ask } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const options = JSON.parse(process.env.LISTEN);
  const server = net.createServer((socket) => socket.end('hello'));
  server.listen(options, () => see('self', 'listening', server.address(), cluster.worker.state));
}

async function primary() {
  process.umask(0o022);
  watchCluster();
  fs.mkdirSync('elsewhere');
  const long = path.resolve('l'.repeat(20), 'm'.repeat(40), 'n'.repeat(25));
  fs.mkdirSync(path.dirname(long), { recursive: true });
  const ways = [
    [path.resolve('absolute.sock'), { path: path.resolve('absolute.sock') }], [path.resolve('elsewhere/relative.sock'), { path: 'relative.sock' }],
    [path.resolve('open.sock'), { path: path.resolve('open.sock'), readableAll: true, writableAll: true }], [path.relative('.', long), { path: long }],
    [path.resolve('readable.sock'), { path: path.resolve('readable.sock'), readableAll: true }],
  ];
  for (const [socket, options] of ways) {
    cluster.setupPrimary({ cwd: options.path === 'relative.sock' ? path.resolve('elsewhere') : process.cwd() });
    const workers = [await forkListening({ LISTEN: JSON.stringify(options) }), await forkListening({ LISTEN: JSON.stringify(options) })];
    see('main', 'mode', (fs.statSync(socket).mode & 0o777).toString(8));
    see('client', 'got', await ask(path.relative('.', socket)));
    for (const { worker } of workers) {
      const end = gone(worker);
      worker.disconnect();
      await end;
      see('main', 'is there', fs.existsSync(socket));
    }
  }
}
