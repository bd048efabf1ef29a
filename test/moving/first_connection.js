/**
 * A connection that comes in the same read as the answer to `listen`, for first_connection.test.ts.
 *
 *   node first_connection.js [shared]   prints one line of JSON: the events of the server in their order, and whether Node's
 *                                 closeAllConnections has found the connection
 *
 * The address is kept when its first worker is killed, so that a client waits in the primary. The second worker calls
 * listen, and then blocks until the primary has sent both.
 */
'use strict';
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const cluster = require(path.join(__dirname, '../../dist/lib/cluster.js'));

if (cluster.isPrimary) {
  cluster.setupPrimary({ exec: __filename, keepListening: true, scheduling: process.argv[2] ?? 'round-robin' });
  const first = cluster.fork();
  first.once('listening', ({ port }) => {
    first.once('exit', () => {
      net.connect(port, '127.0.0.1').on('error', () => undefined);
      const second = () => {
        if (cluster.counters().queued === 0) setImmediate(second);
        // The worker's message comes before the end of its channel. The client's connection may be closed earlier.
        else cluster.fork({ BLOCKS: '1' }).on('message', (seen) => console.log(JSON.stringify(seen))).on('disconnect', () => process.exit());
      };
      second();
    });
    first.process.kill('SIGKILL');
  });
} else {
  const events = [];
  const server = http.createServer().on('listening', () => events.push('listening'));
  server.on('connection', (socket) => {
    events.push('connection');
    setImmediate(() => {
      server.closeAllConnections();
      process.send([...events, socket.destroyed], () => process.exit());
    });
  });
  server.listen(0);
  if (process.env.BLOCKS === '1') setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300));
}
