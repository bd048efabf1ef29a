// Covers: P-20, P-22, W-6, W-7, W-5, R-7
// Disconnect by the primary, by the worker and by its channel while the worker has open connections.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, watchCluster, look, forkListening, next, gone, ask, ownPort } = require('../observe');

const ways = {
  'by the primary': (worker) => worker.disconnect(),
  'by the worker': (worker) => worker.send('disconnect'),
  'both': (worker) => { worker.send('disconnect'); worker.disconnect(); },
  'the channel': (worker) => worker.process.disconnect(),
  'the channel, by the worker': (worker) => worker.send('end'),
};
if (cluster.isPrimary) primary();
else {
  const server = net.createServer((socket) => { socket.on('error', () => {}); socket.write('hello'); socket.on('end', () => socket.end('bye')); });
  server.on('close', () => see('self', 'server closed', cluster.worker.state, process.connected));
  server.listen(ownPort(), '127.0.0.1');
  process.on('message', (what) => {
    if (what === 'ready?') return process.send('ready');
    if (what === 'disconnect') cluster.worker.disconnect();
    if (what === 'end') process.disconnect();
    see('self', 'after', what, cluster.worker.state, cluster.worker.exitedAfterDisconnect, server.listening);
  });
  cluster.worker.on('disconnect', () => see('self', "worker 'disconnect'", cluster.worker.state));
}

async function primary() {
  watchCluster();
  for (const [way, leave] of Object.entries(ways)) {
    const { worker, port } = await forkListening();
    see(`W${worker.id}`, 'way', way);
    const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
    await next(client, 'data');
    // What the worker said when it took the connection has come, when this has.
    worker.send('ready?');
    await next(worker, 'message');
    const end = gone(worker);
    const closed = next(client, 'close');
    leave(worker);
    look(worker, 'right after:');
    if (way.startsWith('the channel')) {
      await closed;
    } else {
      if (way === 'by the primary') see(`client of W${worker.id}`, 'a new one', await ask(port));
      const answer = next(client, 'data');
      client.end();
      see(`client of W${worker.id}`, 'the open one', String((await answer)[0]));
    }
    await end;
    look(worker, 'at the end:');
    client.destroy();
  }
}
