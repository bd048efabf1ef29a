// Covers: I-30
// Which messages are the runtime's own: NODE_ and at least one letter more.
'use strict';
const { see } = require('../observe_fork');
const childProcess = require('node:child_process');

const MESSAGES = [
  { cmd: 'NODE_' }, { cmd: 'NODE_X' }, { cmd: 'NODE_CLUSTER' }, { cmd: 'NODE' }, { cmd: 'node_x' }, { cmd: 5 }, { cmd: null }, { cmd: ['NODE_X'] },
  { cmd: ' NODE_X' }, { cmd: 'NODE_\u0000' }, { CMD: 'NODE_X' }, 'NODE_X', ['NODE_X'], { cmd: { cmd: 'NODE_X' } }, { a: { cmd: 'NODE_X' } }, { cmd: '' }, { cmd: 'NODEX_' },
];

function hear(subject, target, last) {
  for (const event of ['message', 'internalMessage']) {
    target.on(event, (value, handle) => {
      see(subject, event, value, handle);
      if (value === 'last') last();
    });
  }
}

if (process.argv[2] === 'child') {
  hear('self', process, () => {
    for (const value of MESSAGES) process.send(value);
    process.send('last');
  });
} else {
  for (const serialization of ['json', 'advanced']) {
    const child = childProcess.fork(__filename, ['child'], { serialization });
    hear(`C of ${serialization}`, child, () => child.disconnect());
    for (const value of MESSAGES) child.send(value);
    child.send('last');
  }
}
