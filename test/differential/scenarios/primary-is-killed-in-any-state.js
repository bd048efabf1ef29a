// Covers: W-5, W-6, W-9, C-64
// The primary dies of SIGKILL while one worker is idle, one spins, one leaves already and one has exclusive servers.
'use strict';
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const { see, message, next } = require('../observe');

const ways = {
  idle() {},
  spins: () => { while (!fs.existsSync('go on')); },
  leaves: async (server) => {
    // A connection to itself holds it until it is told that the channel has ended.
    const client = net.connect(server.address().port, '127.0.0.1');
    await next(client, 'data');
    process.on('disconnect', () => { see('self', "process 'disconnect'", cluster.worker.state); client.destroy(); });
    cluster.worker.disconnect();
  },
  'has its own server': (_, own) => { process.on('exit', () => see('self', 'listens', own.listening)); },
};
if (cluster.isPrimary) {
  (async () => {
    for (const WAY of Object.keys(ways)) {
      const worker = cluster.fork({ WAY });
      await message(worker, (what) => what === 'ready');
    }
    process.on('exit', () => see('self', 'never'));
    fs.writeFileSync('go on', '');
    process.kill(process.pid, 'SIGKILL');
  })();
} else {
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.state, cluster.worker.exitedAfterDisconnect, process.connected));
  const server = net.createServer((socket) => socket.on('error', () => {}).write('hello')).listen(0, '127.0.0.1', async () => {
    const own = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true });
    await next(own, 'listening');
    const way = process.env.WAY;
    if (way === 'spins') process.send('ready', () => ways.spins());
    else {
      if (way !== 'has its own server') own.close();
      await ways[way](server, own);
      process.send('ready');
    }
  });
}
