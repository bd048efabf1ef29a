/** poolifier: fixed and dynamic pools of cluster workers: run, many at once, a task that throws, a crash, broadcast, destroy. */
'use strict';
const cluster = require('node:cluster');
const path = require('node:path');
const { drive, equal, rejection, until } = require('./steps');

drive(async (step) => {
  const { DynamicClusterPool, FixedClusterPool } = await import('poolifier');
  const file = path.join(__dirname, 'poolifier_worker.js');
  const pool = new FixedClusterPool(2, file, { errorHandler: () => {}, restartWorkerOnError: true });
  await step('a task', async () => equal(await pool.execute({ n: 20 }, 'square'), 400, 'result'));
  await step('200 tasks on both workers', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, (nothing, n) => pool.execute({ n }, 'squareAndPid')));
    equal(all.map(({ square }) => square), all.map((nothing, n) => n * n), 'results');
    equal(new Set(all.map(({ pid }) => pid)).size, 2, 'workers');
  });
  await step('a task that throws rejects, and the pool goes on', async () => {
    const error = await rejection(pool.execute({}, 'fail'));
    if (!/as asked/.test(String(error.message))) throw new Error(`rejected with ${error.message}`);
    equal(await pool.execute({ n: 3 }, 'square'), 9, 'result');
  });
  await step('a worker that is killed is replaced', async () => {
    const { pid } = await pool.execute({ n: 1 }, 'squareAndPid');
    process.kill(pid, 'SIGKILL');
    await until('two other workers', () => {
      const pids = Object.values(cluster.workers).map((worker) => worker.process.pid);
      return pids.length === 2 && !pids.includes(pid);
    });
    equal(await pool.execute({ n: 5 }, 'square'), 25, 'result');
  });
  await step('destroy ends the workers', async () => {
    await pool.destroy();
    await until('no worker', () => Object.keys(cluster.workers).length === 0);
  });
  await step('a dynamic pool grows', async () => {
    const dynamic = new DynamicClusterPool(1, 3, file, {});
    const all = await Promise.all(Array.from({ length: 6 }, () => dynamic.execute({ n: 300 }, 'wait')));
    if (new Set(all).size < 2) throw new Error('one worker did everything');
    await dynamic.destroy();
  });
});
