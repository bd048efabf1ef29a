// Covers: I-15, I-32
// A message of many reads with a handle, between others.
'use strict';
const { see, gone, next, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (value, handle) => {
    see('self', 'got', value.length, handle);
    handle?.end(String(value.length));
    if (value === 'last') process.disconnect();
  });
} else {
  (async () => {
    const hold = setInterval(() => {}, 1_000_000); // I-60b
    for (const serialization of ['json', 'advanced']) {
      const child = childProcess.fork(__filename, ['child'], { serialization });
      const end = gone(child);
      const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
      await next(server, 'listening');
      const answer = ask(server.address().port);
      const [socket] = await next(server, 'connection');
      server.close();
      child.send('before');
      child.send('é'.repeat(500_000), socket);
      child.send('last');
      see('client', 'got', await answer);
      await end;
    }
    clearInterval(hold);
    process.exit(0);
  })();
}
