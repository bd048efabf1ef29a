// Covers: I-20, I-21, I-22, I-24, I-58
// What `send` takes, gives, throws and calls back on both sides, open and closed.
'use strict';
const { see, watch, gone, attempt, next, message, turns } = require('../observe_fork');
const childProcess = require('node:child_process');

const cycle = {};
cycle.self = cycle;

async function tryAll(subject, target) {
  const callback = (...values) => see(subject, 'callback', ...values);
  const attempts = [
    [], [undefined], [Symbol('x')], [() => {}], [1n], [cycle], [{ toJSON() { throw new RangeError('no'); } }],
    ['a', null], ['b', 0], ['c', ''], ['d', false], ['e', {}], ['f', 'handle'], ['g', undefined, null], ['h', undefined, 5],
    ['i', undefined, []], ['j', callback], ['k', undefined, callback], ['l', undefined, {}, callback], ['m', undefined, { keepOpen: true }],
    ['n', undefined, undefined, undefined], ['o', undefined, {}, 'no callback'], ['p', null, 'text', callback], [null], [true], [5], [''], [[]],
    ['q', new Map()], ['r', Symbol('s')], ['s', undefined, { swallowErrors: true }, callback], [undefined, callback],
  ];
  for (const values of attempts) {
    attempt(subject, values.length, () => target.send(...values));
    await turns(2);
  }
}

async function afterTheEnd(subject, target) {
  see(subject, 'after the end', typeof target.send, typeof target.disconnect, target.channel, target.connected);
  target.on('error', (error) => see(subject, "'error'", error));
  attempt(subject, 'late', () => target.send('late'));
  attempt(subject, 'late with a callback', () => target.send('late', (error) => see(subject, 'callback', error)));
  see(subject, 'not told at once');
  await turns();
  for (const values of [[], [undefined], [Symbol('x')], [1n], ['a', {}], ['a', undefined, null]]) {
    attempt(subject, 'late', () => target.send(...values));
    await turns(2);
  }
  attempt(subject, 'disconnect', () => target.disconnect());
  await turns();
}

if (process.argv[2] === 'child') {
  process.on('message', async (value) => {
    see('self', 'got', value);
    if (value !== 'leave') return;
    await tryAll('self', process);
    process.disconnect();
    await next(process, 'disconnect');
    afterTheEnd('self', process);
  });
  process.send('ready');
} else {
  (async () => {
    const child = watch(childProcess.fork(__filename, ['child']));
    await message(child);
    const end = gone(child);
    await tryAll('C1', child);
    child.send('leave');
    await end;
    await afterTheEnd('C1', child);
  })();
}
