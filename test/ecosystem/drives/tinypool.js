/** tinypool with child processes (vitest's pool): run, many at once, a task that throws, a crash, cancel, recycle, destroy. */
'use strict';
const path = require('node:path');
const { drive, equal, rejection } = require('./steps');

drive(async (step) => {
  const { default: Tinypool } = await import('tinypool');
  const pool = new Tinypool({ filename: path.join(__dirname, 'tinypool_worker.mjs'), runtime: 'child_process', minThreads: 2, maxThreads: 2 });
  await step('a task', async () => equal(await pool.run({ n: 7 }), 49, 'result'));
  await step('100 tasks', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (nothing, n) => pool.run({ n })));
    equal(all, all.map((nothing, n) => n * n), 'results');
  });
  await step('an object of 1 MiB comes back', async () => equal((await pool.run({ text: 'x'.repeat(1 << 20) }, { name: 'echo' })).text.length, 1 << 20, 'length'));
  await step('a task that throws rejects', async () => equal((await rejection(pool.run({}, { name: 'fail' }))).message, 'as asked', 'message'));
  await step('recycleWorkers', async () => {
    const before = await pool.run({}, { name: 'pid' });
    await pool.recycleWorkers();
    const after = await pool.run({}, { name: 'pid' });
    if (before === after) throw new Error('the same process');
  });
  await step('abort ends a busy worker', async () => {
    const controller = new AbortController();
    const busy = pool.run({}, { name: 'forever', signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    equal((await rejection(busy)).name, 'AbortError', 'error');
    equal(await pool.run({ n: 2 }), 4, 'result');
  });
  await step('destroy', () => pool.destroy());
});
