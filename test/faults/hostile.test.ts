/**
 * A worker that is compromised, or simply wrong: what it may have of its primary, and what it may do to
 * the other workers (lib/README.md, "What a worker may do").
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { dist, root, run } from '../support/program';

const fixture = path.join(root, 'test/fixtures/hostile.js');
const EINVAL = -22;

async function play(what: string, { node, env = {}, stderr = '' }: { node?: string; env?: NodeJS.ProcessEnv; stderr?: string | RegExp } = {}): Promise<unknown[][]> {
  const ended = await run(fixture, { args: [what], execArgv: ['--require', dist('lib/register.js')], env, ...(node === undefined ? {} : { node }) });
  expect([ended.code, ended.signal, ended.stderr], ended.stdout).toEqual([0, null, typeof stderr === 'string' ? stderr : expect.stringMatching(stderr)]);
  return ended.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown[]);
}

describe.concurrent('what a worker may have the primary open', () => {
  for (const policy of ['none', 'rr']) {
    test(`34: an fd only if the primary was started with it or has allowed it, and no connection: ${policy}`, async () => {
      expect(await play('fds', { env: { NODE_CLUSTER_SCHED_POLICY: policy } })).toEqual([
        ['refused', 1, [EINVAL, EINVAL]], ['goes on', 'secret', true], ['inherited', ['listens']], ['used again', 3, [EINVAL], true],
        ...Array(4).fill(['no socket', 'ERR_INVALID_ARG_VALUE']), ['not yet', ['EINVAL']], ['allowed', ['listens'], [EINVAL]],
      ]);
    });
  }

  test('35: data that are no ticket keys harm who sends them, and no other worker', async () => {
    expect(await play('data')).toEqual([
      ['bad', Array(11).fill(EINVAL)], ['good', ['listens']], ['good', ['listens']], ['bad again', [EINVAL]], ['the same keys', true, 96],
    ]);
  });

  test('36: no more addresses than limits.listeningHandles, each worker for itself; a flood of queries holds no fds', async () => {
    expect(await play('many')).toEqual([
      ['greedy', [...Array<string>(5).fill('listens'), 'EMFILE', 'EMFILE']], ['other', Array(5).fill('listens')],
      ['one closed', 'closed', ['listens', 'EMFILE']], ['flood', true], ['fds', true],
    ]);
  });

  test('36: the last fds of the primary are no worker\'s to listen on: another can be forked', async () => {
    const limited = path.join(root, 'test/fixtures/faults_limited.sh');
    expect(await play('lastFds', { node: limited })).toEqual([[true, true, 2], ['another worker came']]);
  });

  test('39: a query that means one thing to a reader and another to the bind is refused', async () => {
    expect(await play('senseless')).toEqual([[Array(11).fill(EINVAL)]]);
  });
});

describe.concurrent('allowListen', () => {
  test('39: says where a worker may listen; one that throws or does not answer true refuses, with one warning', async () => {
    const asked = { fd: null, readableAll: false, writableAll: false };
    const warning = (text: string): unknown[] => ['warning', 'ClusterWarning', 'CLUSTER_INTERNALS_ALLOW_LISTEN', expect.stringContaining(text)];
    const refused = ['mistaken', ['EACCES', 'EACCES']];
    expect(await play('allowListen', { stderr: /of the program/ })).toEqual([
      ...Array(3).fill(['no function', 'ERR_INVALID_ARG_VALUE']),
      ['where', ['listens'], ['EACCES'], ['EACCES'], false],
      [
        'asked', ['127.0.0.1', { ...asked, port: 0, addressType: 4 }, true, 1], ['::1', { ...asked, port: 0, addressType: 6 }, true, 1],
        ['./test/refused.sock', { ...asked, port: null, addressType: -1 }, true, 1],
      ],
      ['two meanings', Array(4).fill(EINVAL), 3],
      warning('thrown'), refused, warning('promise'), refused, warning('promise'), refused, refused, refused, warning('thrown'), refused,
    ]);
  });

  test('39: may end the worker that it is asked about, or the whole cluster: nothing is opened for it, nothing leaks', async () => {
    expect(await play('reenter')).toEqual([
      ['disconnects', 0, null], ['kills', null, 'SIGKILL'], ['endsTheChannel', 0, null], ['endsAll', 0, null], ['setsUp', null, 'SIGTERM'],
      ['afterwards', ['listens']], ['fds', true],
    ]);
  });
});

test('38: ticket keys are in no trace: neither printed nor published', async () => {
  const { stdout, stderr } = await run(fixture, {
    args: ['trace'], execArgv: ['--require', dist('lib/register.js')], env: { NODE_DEBUG: 'cluster-internals' },
  });
  const [[, keys], published] = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown[]) as [[string, string], unknown[]];
  expect(keys).toHaveLength(96);
  expect(published).toEqual(['published', false, 6]);
  expect(stderr).not.toContain(keys);
  // By the primary and by both workers.
  expect(stderr.match(/data='\[redacted\]'/g)?.length).toBeGreaterThanOrEqual(12);
});
