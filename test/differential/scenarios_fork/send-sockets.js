// Covers: I-15, I-26, I-28, I-32
// Sockets that go to the child and back, with and without keepOpen.
'use strict';
const { see, watch, gone, next, message, ask } = require('../observe_fork');
const childProcess = require('node:child_process');
const net = require('node:net');

if (process.argv[2] === 'child') {
  let kept;
  process.on('message', (what, socket) => {
    see('self', what, socket, socket?.readable, socket?.writable, socket?.isPaused(), socket?.remoteAddress);
    if (what === 'end it') socket.end('from the child');
    if (what === 'kept open') socket.write('from the child and ', () => process.send('written'));
    if (what === 'send it back') process.send('here it is', socket);
    if (what === 'kept open') kept = socket;
    if (what === 'end that one') kept.end('at last');
    if (what === 'leave') process.disconnect();
  });
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']));
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await next(server, 'listening');
    const { port } = server.address();
    const accepted = async () => (await next(server, 'connection'))[0];

    let answer = ask(port);
    let socket = await accepted();
    socket.setTimeout(1_000_000);
    see('main', 'sent', child.send('end it', socket, (error) => see('main', 'callback', error)));
    see('main', 'given away', socket._handle, socket.timeout, socket.destroyed);
    see('client', 'got', await answer);

    answer = ask(port);
    socket = await accepted();
    see('main', 'sent', child.send('kept open', socket, { keepOpen: true }, (error) => see('main', 'callback', error)));
    see('main', 'kept', socket._handle !== null, socket.destroyed);
    await message(child, (what) => what === 'written');
    socket.destroy();
    see('main', 'destroyed here');
    child.send('end that one');
    see('client', 'got', await answer);

    answer = ask(port);
    socket = await accepted();
    child.send('send it back', socket);
    const [, back] = await message(child, (what) => what === 'here it is');
    see('main', 'another object', back !== socket);
    back.end('there and back');
    see('client', 'got', await answer);

    const end = gone(child);
    child.send('leave');
    await end;
    server.close(() => see('main', 'server closed'));
    process.exit(0); // In Node the server waits for ever (I-53).
  })();
}
