// Covers: W-22, W-23, N-10
// pauseOnConnect, allowHalfOpen, noDelay and highWaterMark hold for connections that were handed over.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const { see, forkListening, next, gone } = require('../observe');

const ways = [{}, { pauseOnConnect: true }, { allowHalfOpen: true }, { noDelay: true, keepAlive: true, highWaterMark: 100 }];
if (cluster.isPrimary) primary();
else {
  const options = ways[process.env.WAY];
  const server = net.createServer(options, (socket) => {
    const { readableFlowing, allowHalfOpen, readableHighWaterMark, remoteFamily, localAddress } = socket;
    see('self', 'connection', { readableFlowing, allowHalfOpen, readableHighWaterMark, remoteFamily, localAddress }, socket.server === server, server._connections, socket.localPort === server.address().port);
    socket.on('end', () => {
      see('self', 'end', socket.writable);
      if (allowHalfOpen) socket.end('after the end');
    });
    socket.on('close', () => see('self', 'close', server._connections));
    socket.on('data', (data) => socket.write(`echo ${data}`));
    if (options.pauseOnConnect) setImmediate(() => { see('self', 'paused', socket.isPaused(), socket.bytesRead); socket.resume(); });
  });
  server.listen(0, '127.0.0.1');
}

async function primary() {
  for (const WAY of ways.keys()) {
    const { worker, port } = await forkListening({ WAY });
    const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.write('text');
    see('client', 'got', String((await next(client, 'data'))[0]));
    let rest = '';
    client.on('data', (data) => { rest += data; });
    client.end();
    await next(client, 'close');
    see('client', 'rest', rest);
    const end = gone(worker);
    worker.disconnect();
    await end;
  }
}
