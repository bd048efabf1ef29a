/** recluster: run, serve, hot reload under requests, a crash with backoff, terminate. */
'use strict';
const { answers, drive, equal, get, start, until } = require('./steps');

drive(async (step) => {
  const app = start('recluster_app.js');
  await step('two workers serve', () => until('two pids', async () => (await answers(10)).size === 2));
  await step('SIGUSR2 reloads, and no request fails', async () => {
    const before = await answers(10);
    app.child.kill('SIGUSR2');
    await until('two others', async () => {
      const now = await answers(4);
      return [...now].every((pid) => !before.has(pid));
    });
    equal((await answers(10)).size, 2, 'workers');
  });
  await step('a worker that crashes is forked again', async () => {
    await get('/crash').catch(() => {});
    await until('two pids', async () => (await answers(10)).size === 2);
  });
  await step('terminate ends the workers', async () => {
    app.child.kill('SIGTERM');
    equal((await app.ended).code, 0, 'exit code');
  });
});
