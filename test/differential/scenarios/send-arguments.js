// Covers: I-20, I-21, I-22, I-24, I-58
// What `worker.send` takes, gives, throws and calls back, open and closed.
'use strict';
const cluster = require('node:cluster');
const { see, watchWorker, message, gone, turns } = require('../observe');

if (cluster.isPrimary) primary();
else {
  process.on('message', (value) => {
    see('self', 'got', value);
    if (value === 'leave') tryAll('self', process, () => process.disconnect());
  });
  process.send('ready');
}

const cycle = {};
cycle.self = cycle;
async function tryAll(subject, target, between) {
  const callback = (...values) => see(subject, 'callback', ...values);
  const attempts = [
    [], [undefined], [Symbol('x')], [() => {}], [1n], [cycle], [{ toJSON() { throw new RangeError('no'); } }],
    ['a', null], ['b', 0], ['c', ''], ['d', false], ['e', {}], ['f', 'handle'], ['g', undefined, null], ['h', undefined, 5], ['i', undefined, []],
    ['j', callback], ['k', undefined, callback], ['l', undefined, {}, callback], ['m', undefined, { keepOpen: true }], ['n', undefined, undefined, undefined],
  ];
  for (const values of attempts) {
    try {
      see(subject, 'gave', values.length, target.send(...values));
    } catch (error) {
      see(subject, 'threw', values.length, error);
    }
    await turns(2);
  }
  between?.();
}

async function primary() {
  const worker = watchWorker(cluster.fork());
  worker.on('error', (error) => see('W1', "'error'", error));
  await message(worker);
  const end = gone(worker);
  await tryAll('W1', worker);
  worker.send('leave');
  await end;
  see('W1', 'after the end', typeof worker.send, worker.process.channel, worker.process.connected);
  see('W1', 'gave', worker.send('late'), worker.send('late', (error) => see('W1', 'callback', error)));
  await turns();
  try {
    see('W1', 'gave', worker.send());
  } catch (error) {
    see('W1', 'threw', error);
  }
  await turns();
  worker.process.disconnect();
  await turns();
  see('W1', 'methods of the dead', worker.disconnect() === worker, worker.kill(), worker.destroy(), worker.isDead(), worker.isConnected());
}
