/** cfork: forks a file, forks again what dies or disconnects, and tells the program about it. */
'use strict';
const { answers, drive, equal, get, replaced, start, until } = require('./steps');

drive(async (step) => {
  const app = start('cfork_app.js');
  await step('two workers are forked and listen', async () => {
    for (let n = 0; n < 2; n++) await app.line(/^listening$/);
  });
  await step('serves from both', () => until('two pids', async () => (await answers(10)).size === 2));
  await step('an exception: the worker disconnects and another one comes', async () => {
    const before = await answers(10);
    await get('/throw').catch(() => {});
    await app.line(/^disconnect$/);
    await replaced(before, 2);
  });
  await step('an exit without disconnect: another worker comes', async () => {
    const before = await answers(10);
    await get('/exit').catch(() => {});
    await app.line(/^disconnect$/);
    await replaced(before, 2);
  });
  await step('ends', async () => equal((await app.stop('SIGTERM')).signal, 'SIGTERM', 'signal'));
});
