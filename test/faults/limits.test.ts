/** What there is no more of is reported, and the rest goes on. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { dist, root, run } from '../support/program';

const fixture = path.join(root, 'test/fixtures/faults_limits.js');
const register = ['--require', dist('lib/register.js')];

test('D29: a fork without an fd left: an error, disconnect, and no entry in the table', async () => {
  const limited = path.join(root, 'test/fixtures/faults_limited.sh');
  const { code, stdout, stderr } = await run(fixture, { node: limited, args: ['noMoreFds'], execArgv: register });
  expect([code, stderr, stdout.trim().split('\n')]).toEqual([0, '', ['EMFILE', 'error EMFILE', "disconnect [ '1' ]"]]);
});

// On Node 20 each try cost the worker an fd; from 22 on the port was lost for the whole cluster.
test.each([
  ['ours', register, []],
  ['ours under a stock primary', [], [dist('lib/register.js')]],
])('E11, D51: SCHED_NONE: a port that was taken once can be listened on when it is free: %s', async (_of, execArgv, args) => {
  const { code, stdout, stderr } = await run(fixture, { args: ['busyOnce', ...args], execArgv });
  const busy = 'EADDRINUSE EADDRINUSE EADDRINUSE 0';
  const free = 'listens listens listens 0';
  expect([code, stderr, stdout.trim().split('\n')]).toEqual([0, '', [busy, busy, free, free, free]]);
});
