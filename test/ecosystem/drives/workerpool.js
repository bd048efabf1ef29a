/** workerpool with processes: run, a crash, cancel, a time limit, events, terminate. */
'use strict';
const path = require('node:path');
const workerpool = require('workerpool');
const { drive, equal, rejection } = require('./steps');

drive(async (step) => {
  const pool = workerpool.pool(path.join(__dirname, 'workerpool_worker.js'), { workerType: 'process', maxWorkers: 2 });
  await step('a task', async () => equal(await pool.exec('square', [12]), 144, 'result'));
  await step('100 tasks', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (nothing, n) => pool.exec('square', [n])));
    equal(all, all.map((nothing, n) => n * n), 'results');
  });
  await step('a function is sent', async () => equal(await pool.exec((one, other) => one + other, [3, 4]), 7, 'result'));
  await step('events of a task', async () => {
    const seen = [];
    await pool.exec('progress', [3], { on: (payload) => seen.push(payload) });
    equal(seen, [{ step: 0 }, { step: 1 }, { step: 2 }], 'events');
  });
  await step('a task that throws rejects', async () => equal((await rejection(pool.exec('fail', []))).message, 'as asked', 'message'));
  await step('a worker that exits rejects its task, and the pool goes on', async () => {
    await rejection(pool.exec('exit', []));
    equal(await pool.exec('square', [4]), 16, 'result');
  });
  await step('cancel ends a busy worker', async () => {
    const busy = pool.exec('forever', []);
    setTimeout(() => busy.cancel(), 300);
    equal((await rejection(busy)).name, 'CancellationError', 'error');
    equal(await pool.exec('square', [5]), 25, 'result');
  });
  await step('a time limit ends a busy worker', async () => {
    equal((await rejection(pool.exec('forever', []).timeout(300))).name, 'TimeoutError', 'error');
    equal(await pool.exec('square', [6]), 36, 'result');
  });
  await step('terminate', async () => {
    await pool.terminate();
    equal(pool.stats().totalWorkers, 0, 'workers');
  });
});
