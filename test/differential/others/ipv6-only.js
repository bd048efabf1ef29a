// A worker listens with ipv6Only: a client of IPv4 is refused.
// Node 26.10.0 prints: ECONNREFUSED
// Deno 2.9.6 (2026-11-29) prints: connected
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => {
    const end = (text) => {
      client.destroy();
      console.log(text);
      worker.process.kill('SIGKILL');
    };
    const client = net.connect(port, '127.0.0.1').on('connect', () => end('connected')).on('error', (error) => end(error.code));
  });
} else {
  net.createServer().listen({ port: Number(process.env.DIFF_PORT ?? 20791), host: '::', ipv6Only: true });
}
