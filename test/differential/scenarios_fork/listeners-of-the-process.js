// Covers: I-2
// Which listeners `process` has in a child, and a ChildProcess in its parent.
'use strict';
const { see, processListeners } = require('../observe_fork');
const childProcess = require('node:child_process');

const EVENTS = ['message', 'disconnect', 'exit', 'error', 'close', 'spawn'];

if (process.argv[2] === 'child') {
  for (const event of EVENTS) see('self', event, processListeners[event]);
} else {
  const child = childProcess.fork(__filename, ['child']);
  for (const event of EVENTS) see('C1', event, child.listenerCount(event));
}
