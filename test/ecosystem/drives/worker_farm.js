/** worker-farm: many calls, an error, a child that dies, concurrency limits, end. */
'use strict';
const path = require('node:path');
const { promisify } = require('node:util');
const workerFarm = require('worker-farm');
const { drive, equal, rejection } = require('./steps');

drive(async (step) => {
  const farm = workerFarm({ maxConcurrentWorkers: 2, maxRetries: 1 }, path.join(__dirname, 'worker_farm_child.js'), ['square', 'fail', 'exit']);
  const call = (name) => promisify(farm[name]);
  await step('a call', async () => equal(await call('square')(11), 121, 'result'));
  await step('200 calls', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, (nothing, n) => call('square')(n)));
    equal(all, all.map((nothing, n) => n * n), 'results');
  });
  await step('an error', async () => equal((await rejection(call('fail')())).message, 'as asked', 'message'));
  await step('a child that exits: its call fails after the retries, the farm goes on', async () => {
    equal((await rejection(call('exit')())).type, 'ProcessTerminatedError', 'type');
    equal(await call('square')(4), 16, 'result');
  });
  await step('end', () => promisify(workerFarm.end)(farm));
});
