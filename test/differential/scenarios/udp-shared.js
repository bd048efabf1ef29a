// Covers: Q-8, S-1, S-2, S-3, P-3, N-11, W-30
// UDP is shared: two workers bind one port, datagrams arrive, the last one closes it.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const { see, watchCluster, forkListening, gone, message } = require('../observe');

if (cluster.isPrimary) primary();
else {
  const socket = dgram.createSocket(process.env.TYPE);
  socket.on('message', (data, { family }) => process.send(`${data} over ${family}`));
  socket.on('close', () => see('self', 'socket closed'));
  socket.bind(0, process.env.HOST, () => see('self', 'listening', socket.address(), cluster.worker.state));
}

async function primary() {
  watchCluster();
  for (const [TYPE, HOST] of [['udp4', '127.0.0.1'], ['udp4', ''], ['udp6', '::1']]) {
    const workers = [await forkListening({ TYPE, HOST }), await forkListening({ TYPE, HOST })];
    see('main', 'the same port', workers[0].port === workers[1].port);
    const end = gone(workers[0].worker);
    workers[0].worker.disconnect();
    await end;
    const client = dgram.createSocket(TYPE);
    const heard = message(workers[1].worker);
    client.send('datagram', workers[1].port, HOST || '127.0.0.1', () => client.close());
    await heard;
    const last = gone(workers[1].worker);
    workers[1].worker.disconnect();
    await last;
  }
}
