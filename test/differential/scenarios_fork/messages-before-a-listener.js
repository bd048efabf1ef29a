// Covers: I-31
// Messages that come before anybody listens wait, in order, for the first listener.
'use strict';
const { see, gone, next, message, turns, nameOf } = require('../observe_fork');
const childProcess = require('node:child_process');

const WAYS = {
  'a listener': (child) => child.on('message', (value) => see(nameOf(child), 'got', value)),
  'once': (child) => child.once('message', (value) => {
    see(nameOf(child), 'once got', value);
    setImmediate(() => child.on('message', (later) => see(nameOf(child), 'got', later)));
  }),
  'another event': (child) => {
    child.on('foo', () => {});
    setImmediate(() => child.on('message', (value) => see(nameOf(child), 'got', value)));
  },
  'removed at once': (child) => {
    const listener = () => see(nameOf(child), 'must not get this');
    child.on('message', listener).removeListener('message', listener);
    setImmediate(() => child.on('message', (value) => see(nameOf(child), 'got', value)));
  },
};

if (process.argv[2] === 'child') {
  for (const value of [1, 2, 3]) process.send(value);
  process.send({ cmd: 'NODE_X' }, () => process.stdout.write('sent'));
  process.once('message', () => process.send('last'));
  process.on('disconnect', () => see('self', 'disconnected'));
} else {
  (async () => {
    for (const [way, listen] of Object.entries(WAYS)) {
      const child = childProcess.fork(__filename, ['child'], { silent: true });
      const end = gone(child);
      child.on('internalMessage', (value) => see(nameOf(child), 'internal', value));
      await next(child.stdout, 'data');
      await turns();
      see(nameOf(child), way);
      listen(child);
      see(nameOf(child), 'nothing yet');
      await turns();
      child.send('and one more');
      await message(child, (value) => value === 'last');
      child.disconnect();
      await end;
    }
  })();
}
