// Covers: C-60, C-61, C-62
// The class Worker by itself: with and without new, odd options, what it forwards.
'use strict';
const cluster = require('node:cluster');
const { EventEmitter } = require('node:events');
const { see } = require('../observe');

const { Worker } = cluster;
for (const options of [undefined, null, 5, 'x', {}, { id: 3 }, { id: '7' }, { id: '7x' }, { id: 2.9 }, { id: -1 }, { state: 'online' }, { state: '' }, { other: 1 }]) {
  const worker = new Worker(options);
  see('main', 'options', options);
  see('main', 'fields', Object.entries(worker).filter(([name]) => !name.startsWith('_')));
}
see('main', 'without new', Worker({ id: 4 }) instanceof Worker, Worker({ id: 4 }).id);

const target = Object.assign(new EventEmitter(), {
  exitCode: null, signalCode: null, connected: true,
  send(...values) { see('main', 'send was asked', ...values); return 'sent'; },
});
const worker = new Worker({ id: 1, process: target, state: 'online' });
worker.on('message', (...values) => see('main', 'message', ...values));
worker.on('error', (...values) => see('main', 'error', ...values));
target.emit('message', 'text', 'handle');
target.emit('error', 'first', 'second');
see('main', 'send gave', worker.send('a', 'b', 'c'));
see('main', 'alive', worker.isDead(), worker.isConnected());
target.exitCode = 0;
see('main', 'exited', worker.isDead());
Object.assign(target, { exitCode: null, signalCode: 'SIGTERM', connected: false });
see('main', 'killed', worker.isDead(), worker.isConnected());
Object.assign(target, { exitCode: undefined, signalCode: undefined });
see('main', 'undefined', worker.isDead());
target.kill = (...values) => { see('main', 'kill was asked', ...values); };
see('main', 'kill gave', worker.kill(), worker.kill('SIGHUP'), worker.destroy('SIGINT'), worker.kill(0));
