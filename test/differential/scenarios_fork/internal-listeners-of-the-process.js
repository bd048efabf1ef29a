// Covers: I-2
// Listeners of the channel itself on `process` and on a ChildProcess.
'use strict';
const { see, processListeners } = require('../observe_fork');
const childProcess = require('node:child_process');

const EVENTS = ['internalMessage', 'newListener', 'removeListener'];

if (process.argv[2] === 'child') {
  for (const event of EVENTS) see('self', event, processListeners[event]);
} else {
  const child = childProcess.fork(__filename, ['child']);
  for (const event of EVENTS) see('C1', event, child.listenerCount(event));
}
