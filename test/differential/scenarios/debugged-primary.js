// Covers: C-25
// The first setup makes the primary listen for NODE_DEBUG_ENABLED, and wake the inspectors of its workers.
'use strict';
const cluster = require('node:cluster');
const { see, next, message, gone } = require('../observe');

if (cluster.isWorker) process.on('message', () => {}).send('up');
else {
  (async () => {
    let debugged = [];
    process._debugProcess = (pid) => debugged.push(pid);
    const listeners = () => process.listenerCount('internalMessage');
    const before = listeners();
    cluster.setupPrimary();
    cluster.setupPrimary();
    see('main', 'listeners', listeners() - before);
    const workers = [cluster.fork(), cluster.fork()];
    const tell = (when) => {
      see('main', when, workers.map(({ process: { pid } }) => debugged.filter((one) => one === pid).length));
      debugged = [];
    };
    process.emit('internalMessage', { cmd: 'NODE_SOMETHING' });
    process.emit('internalMessage', { cmd: 'NODE_DEBUG_ENABLED' });
    tell('before they are online');
    const up = workers.map((worker) => message(worker));
    await Promise.all(workers.map((worker) => next(worker, 'online')));
    tell('as they came online');
    process.emit('internalMessage', { cmd: 'NODE_DEBUG_ENABLED' });
    tell('later');
    await Promise.all(up);
    for (const worker of workers) {
      const end = gone(worker);
      worker.kill('SIGKILL');
      await end;
    }
    process.emit('internalMessage', { cmd: 'NODE_DEBUG_ENABLED' });
    tell('when they are gone');
  })();
}
