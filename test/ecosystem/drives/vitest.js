/** vitest with pool: 'forks': passes, a failure, a snapshot, a test that ends its process. */
'use strict';
const path = require('node:path');
const { drive, run } = require('./steps');

const project = path.join(__dirname, 'vitest_project');
const vitest = (file, code) => run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--root', project, '--pool', 'forks', '--reporter', 'json', file], { code });
/** The JSON among what moves the cursor. */
const report = (said) => JSON.parse(said.slice(said.indexOf('{'), said.lastIndexOf('}') + 1));

drive(async (step) => {
  await step('passes in a child process', async () => {
    const said = report(await vitest('passes', 0));
    if (said.numPassedTests !== 3) throw new Error(`${said.numPassedTests} passed`);
  });
  await step('a failure', async () => {
    const said = report(await vitest('fails', 1));
    if (said.numFailedTests !== 1) throw new Error(`${said.numFailedTests} failed`);
  });
  await step('a test that ends its process is reported', async () => {
    const said = await vitest('exits', 1);
    if (!/process\.exit|unexpectedly|Worker exited/.test(said)) throw new Error(said);
  });
});
