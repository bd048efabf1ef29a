/** jest-worker with child processes: run, many at once, a task that throws, a crash, custom messages, end. */
'use strict';
const path = require('node:path');
const { Worker } = require('jest-worker');
const { drive, equal, rejection } = require('./steps');

drive(async (step) => {
  const worker = new Worker(path.join(__dirname, 'jest_worker_task.js'), { numWorkers: 2, enableWorkerThreads: false, maxRetries: 1, exposedMethods: ['square', 'fail', 'exit', 'pid', 'progress'] });
  await step('a task', async () => equal(await worker.square(9), 81, 'result'));
  await step('100 tasks on both workers', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (nothing, n) => worker.square(n)));
    equal(all, all.map((nothing, n) => n * n), 'results');
    equal(new Set(await Promise.all(Array.from({ length: 20 }, () => worker.pid()))).size, 2, 'workers');
  });
  await step('an error keeps its message and its code', async () => {
    const error = await rejection(worker.fail());
    equal([error.message, error.code], ['as asked', 'E_ASKED'], 'error');
  });
  await step('messages of a task', async () => {
    const seen = [];
    const task = worker.progress(3);
    task.UNSTABLE_onCustomMessage?.((message) => seen.push(message));
    await task;
    equal(seen, [0, 1, 2], 'messages');
  });
  await step('a worker that exits rejects, and the pool goes on', async () => {
    await rejection(worker.exit());
    equal(await worker.square(3), 9, 'result');
  });
  await step('end', () => worker.end());
});
