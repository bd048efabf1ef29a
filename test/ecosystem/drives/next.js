/** Next.js: a build (its workers are processes of jest-worker), and the standalone server under node:cluster. */
'use strict';
const { cpSync, mkdtempSync, symlinkSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { answers, drive, equal, get, run, start, until } = require('./steps');

const app = mkdtempSync(path.join(process.env.TMPDIR, 'next-'));

/**
 * NODE_OPTIONS with one file instead of several, which it loads. For its build's processes Next.js 15 makes one path of the
 * values of `--require`, if there are several (parseNodeArgs in next/dist/server/lib/utils.js), and they do not start.
 */
function inOneFile(options) {
  const file = path.join(process.env.TMPDIR, 'preload.js');
  writeFileSync(file, options.match(/"(?:[^"\\]|\\.)*"/g).map((quoted) => `require(${quoted});\n`).join(''));
  return `--require ${JSON.stringify(file)}`;
}

drive(async (step) => {
  await step('next build, standalone', async () => {
    cpSync(path.join(__dirname, 'next_app'), app, { recursive: true });
    symlinkSync(path.resolve('node_modules'), path.join(app, 'node_modules'));
    await run(process.execPath, ['node_modules/next/dist/bin/next', 'build', app], { env: { NEXT_TELEMETRY_DISABLED: '1', NODE_OPTIONS: inOneFile(process.env.NODE_OPTIONS) } });
  });
  const server = start('clustered.js', { args: [path.join(app, '.next/standalone/server.js')], env: { HOSTNAME: '127.0.0.1' } });
  await step('two workers listen', async () => {
    for (let n = 0; n < 2; n++) await server.line(/^listening \d+$/);
  });
  await step('an API route answers from both', () => until('two pids', async () => (await answers(20, '/api/pid')).size === 2));
  await step('a page is rendered', async () => {
    const { status, body } = await get('/');
    equal([status, /hello from next/.test(body)], [200, true], 'page');
  });
  await step('a killed worker is replaced', async () => {
    const [victim] = await answers(1, '/api/pid');
    process.kill(Number(victim), 'SIGKILL');
    await server.line(/^listening \d+$/);
    await until('two pids', async () => (await answers(20, '/api/pid')).size === 2);
  });
  await step('the primary ends', async () => equal((await server.stop('SIGTERM')).code, 0, 'exit code'));
});
