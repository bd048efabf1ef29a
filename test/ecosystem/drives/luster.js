/** luster: workers by configuration, remote calls between primary and workers, softRestart, shutdown. */
'use strict';
const { answers, drive, equal, start, until } = require('./steps');

drive(async (step) => {
  const app = start('luster_app.js');
  await step('the workers run', () => app.line(/^running$/));
  await step('serves from both', () => until('two pids', async () => (await answers(10)).size === 2));
  await step('a call to all workers, and their calls back', async () => {
    app.child.kill('SIGUSR1');
    await app.line(/^both answered$/);
  });
  await step('softRestart under requests replaces both', async () => {
    const before = await answers(10);
    app.child.kill('SIGUSR2');
    await app.line(/^restarted$/);
    await until('two others', async () => {
      const now = await answers(10);
      return now.size === 2 && [...now].every((pid) => !before.has(pid));
    });
  });
  await step('shutdown', async () => {
    app.child.kill('SIGTERM');
    await app.line(/^shutdown$/);
    equal((await app.ended).code, 0, 'exit code');
  });
});
