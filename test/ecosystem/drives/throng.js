/** throng: two workers, one that crashes is forked again, SIGTERM ends all after their shutdown handlers. */
'use strict';
const { answers, drive, equal, get, replaced, start, until } = require('./steps');

drive(async (step) => {
  const app = start('throng_app.js');
  await step('the primary starts once', () => app.line(/^primary$/));
  await step('serves from both', () => until('two pids', async () => (await answers(10)).size === 2));
  await step('a worker that crashes is forked again', async () => {
    const before = await answers(10);
    await get('/crash').catch(() => {});
    await replaced(before, 2);
  });
  await step('SIGTERM ends the workers in good order', async () => {
    app.child.kill('SIGTERM');
    await app.line(/^worker left$/);
    await app.line(/^worker left$/);
    equal((await app.ended).signal, null, 'signal of the primary');
  });
});
