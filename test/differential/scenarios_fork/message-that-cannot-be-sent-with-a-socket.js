// Covers: I-21, I-28
// A message that JSON cannot express leaves its socket alone.
'use strict';
const { see, gone, attempt, next, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

(async () => {
  const child = childProcess.fork(`${__dirname}/programs/quiet.js`);
  const end = gone(child);
  const server = net.createServer().listen(0, '127.0.0.1');
  await next(server, 'listening');
  const answer = ask(server.address().port);
  const [socket] = await next(server, 'connection');
  const cycle = {};
  cycle.self = cycle;
  attempt('main', 'sent', () => child.send(cycle, socket));
  attempt('main', 'sent', () => child.send(1n, socket));
  see('main', 'kept', socket._handle !== null);
  if (socket._handle !== null) {
    socket.end('from the parent');
    see('client', 'got', await answer);
  }
  child.kill();
  await end;
  process.exit(0);
})();
