// Covers, N-11, S-2, S-3
// Two workers bind one UDP port with reuseAddr, and a third process too; the port is taken for whoever does not.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, forkListening, next, gone, ownPort } = require('../observe');

const options = { type: 'udp4', reuseAddr: true };
if (cluster.isPrimary) primary();
else dgram.createSocket(options).bind(ownPort(), '127.0.0.1');

async function primary() {
  watchCluster();
  const workers = [await forkListening(), await forkListening()];
  const own = dgram.createSocket(options).bind(ownPort(), '127.0.0.1');
  await next(own, 'listening');
  const other = dgram.createSocket('udp4').bind(ownPort(), '127.0.0.1');
  see('main', 'without reuseAddr', (await next(other, 'error'))[0].code);
  other.close();
  own.close();
  for (const { worker } of workers) {
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
  const later = dgram.createSocket('udp4').bind(ownPort(), '127.0.0.1');
  await next(later, 'listening');
  see('main', 'free when they are gone', later.address().address);
  later.close();
}
