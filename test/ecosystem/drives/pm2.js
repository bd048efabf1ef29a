/** PM2, with its daemon in a home of its own: start, serve, scale, reload under requests, a crash, logs, stop, delete. */
'use strict';
const { mkdtempSync } = require('node:fs');
const path = require('node:path');
const { answers, drive, equal, get, pause, replaced, run, until } = require('./steps');

const home = mkdtempSync(path.join(process.env.TMPDIR, 'pm2-'));
const pm2 = (...args) => run(process.execPath, ['node_modules/pm2/bin/pm2', ...args], { env: { PM2_HOME: home, PM2_DISCRETE_MODE: 'true' } });
const list = async () => {
  const text = await pm2('jlist');
  return JSON.parse(text.slice(text.indexOf('[{') < 0 ? text.indexOf('[]') : text.indexOf('[{')));
};
const online = async (count) => {
  const all = await list();
  return all.length === count && all.every(({ pm2_env: { status } }) => status === 'online') && all;
};

drive(async (step) => {
  await step('start two in cluster mode', () => pm2('start', path.join(__dirname, 'pm2_app.js'), '-i', '2', '--name', 'app'));
  await step('both are online', () => until('two online', () => online(2)));
  await step('serves from both', () => until('two pids', async () => (await answers(10)).size === 2));
  await step('scale to three', () => pm2('scale', 'app', '3').then(() => until('three pids', async () => (await answers(12)).size === 3)));
  await step('reload under requests loses none', async () => {
    const before = await answers(12);
    let isDone = false;
    const reloading = pm2('reload', 'app').finally(() => { isDone = true; });
    let count = 0;
    while (!isDone) {
      equal((await get()).status, 200, 'status during the reload');
      count++;
      await pause();
    }
    await reloading;
    if (count === 0) throw new Error('no request during the reload');
    const after = await answers(12);
    for (const pid of before) if (after.has(pid)) throw new Error(`${pid} is still there`);
  });
  await step('a worker that crashes is started again', async () => {
    const before = await answers(15);
    await get('/crash').catch(() => {});
    await replaced(before, 3);
  });
  await step('logs hold what the app printed', () => until('a line of the app', async () => (await pm2('logs', 'app', '--nostream', '--lines', '50')).includes('app listens')));
  await step('stop', () => pm2('stop', 'app').then(() => until('all stopped', async () => (await list()).every(({ pm2_env: { status } }) => status === 'stopped'))));
  await step('delete', () => pm2('delete', 'app').then(async () => equal((await list()).length, 0, 'processes in the list')));
  await step('the daemon ends', () => pm2('kill'));
});
