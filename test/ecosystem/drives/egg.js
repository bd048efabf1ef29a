/** egg-cluster: agent and two app workers, messages between them, a crash, the end by SIGTERM. */
'use strict';
const { answers, drive, equal, get, start, until } = require('./steps');

drive(async (step) => {
  // In production: only there it forks again what dies.
  const app = start('egg_app.js', { env: { NODE_ENV: 'production', EGG_SERVER_ENV: 'prod' } });
  await step('agent and workers are ready', () => app.line(/^started$/));
  await step('serves from both', () => until('two pids', async () => (await answers(10)).size === 2));
  await step('a message from one app worker reaches all, by the agent', async () => {
    equal((await get('/tell')).status, 200, 'status');
    await until('both have it', async () => {
      const seen = await answers(10, '/seen');
      return [...seen].every((text) => text === 'hello') && seen.size === 1;
    });
  });
  await step('a killed app worker is forked again', async () => {
    const [victim] = await answers(1);
    process.kill(Number(victim), 'SIGKILL');
    await until('two others', async () => {
      const now = await answers(10);
      return now.size === 2 && !now.has(victim);
    });
  });
  await step('SIGTERM', async () => {
    app.child.kill('SIGTERM');
    equal((await app.ended).code, 0, 'exit code');
  });
});
