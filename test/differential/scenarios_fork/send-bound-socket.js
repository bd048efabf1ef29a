// Covers: I-26, I-28
// A net.BoundSocket that is sent is used up here, whatever `keepOpen` says, and listens in the child. Node
// has them from 24 on and sends them from 26 on; one that is bound to a path it never sends.
'use strict';
const { see, watch, gone, attempt, message, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  process.on('message', (what, bound) => {
    see('self', what, bound instanceof net.BoundSocket, bound.address().address, bound.isPipe);
    const server = net.createServer((socket) => {
      socket.end('from the child');
      server.close();
    }).listen(bound, () => process.send('listens'));
  });
} else if (net.BoundSocket === undefined) see('main', 'no bound sockets');
else {
  (async () => {
    const bind = () => new net.BoundSocket({ port: 0, host: '127.0.0.1' });
    const child = watch(childProcess.fork(__filename, ['child']));
    const end = gone(child);
    if (Number(process.versions.node.split('.')[0]) < 26) {
      const bound = bind();
      attempt('main', 'sent', () => child.send('bound', bound));
      attempt('main', 'still ours', () => bound.address().address);
      bound.close();
    } else {
      const unix = new net.BoundSocket({ path: `\0bound-${process.pid}` });
      attempt('main', 'bound to a path', () => child.send('unix', unix));
      unix.close();
      const closed = bind();
      closed.close();
      attempt('main', 'closed before', () => child.send('closed', closed));
      for (const keepOpen of [false, true]) {
        const bound = bind();
        const { port } = bound.address();
        attempt('main', 'sent', () => child.send('bound', bound, { keepOpen }, (error) => see('main', 'callback', error)));
        attempt('main', 'used up', () => bound.address());
        await message(child);
        see('client', 'got', await ask(port));
      }
    }
    child.disconnect();
    await end;
  })();
}
