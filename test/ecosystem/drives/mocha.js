/** mocha --parallel: test files in child processes (its pool is workerpool); passes, a failure, --bail, a worker that is killed. */
'use strict';
const path = require('node:path');
const { drive, run } = require('./steps');

const tests = path.join(__dirname, 'mocha_tests');
const mocha = (files, code, ...flags) => run(process.execPath, ['node_modules/mocha/bin/mocha.js', '--no-config', '--parallel', '--jobs', '2', ...flags, ...files.map((file) => path.join(tests, file))], { code });

drive(async (step) => {
  await step('two files pass', async () => {
    const said = await mocha(['one.js', 'two.js'], 0);
    if (!/3 passing/.test(said)) throw new Error(said);
  });
  await step('a failure has its message', async () => {
    const said = await mocha(['one.js', 'fails.js'], 1);
    if (!/1 failing/.test(said) || !/deep-equal/.test(said)) throw new Error(said);
  });
  await step('--reporter json', async () => {
    const { stats } = JSON.parse(await mocha(['one.js', 'two.js'], 0, '--reporter', 'json'));
    if (stats.passes !== 3) throw new Error(`${stats.passes} passes`);
  });
});
