/** D52 to D54: settings for one fork, the scheduling policy in setupPrimary, and Symbol.dispose on a Worker. */
import { EventEmitter } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { installPrimary, type PrimaryCluster } from '../../internal/master/index';
import { forkSettings } from '../../internal/master/settings';
import { fixture, thrownBy } from '../support/children';
import { run } from '../support/program';

const program = async (kind: string): Promise<unknown> => {
  const { stdout, stderr, code } = await run(fixture('fork_settings.mjs'), { args: [kind] });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as unknown;
};

test('an ES module: fork(env, settings) starts one worker so, and changes nothing else; map and forEach mean no settings; on Node all of it is ignored', async () => {
  const [ours, node] = await Promise.all([program('ours'), program('node')]);
  const plain = (name: string | null, accepts: boolean): object => ({ args: ['plain'], cwd: "primary's", flags: [], name, accepts, disposable: false });
  const same = { length: 1, before: true, signals: Array(5).fill('SIGTERM'), keys: false };
  // Two setupPrimary and four forks with the settings of the cluster; that with its own settings emits no 'setup'.
  expect(ours).toEqual({
    ...same, policy: 1, late: 'ERR_INVALID_STATE', setups: 6,
    answers: [{ ...plain('a', true), args: ['own'], cwd: 'own', flags: ['--no-warnings'] }, ...['b', 'c', null, null].map((name) => plain(name, true))],
  });
  expect(node).toEqual({ ...same, policy: 2, setups: 8, answers: ['a', 'b', 'c', null, null].map((name) => plain(name, false)) });
});

/** A primary whose listener for the debugger's message is removed after the test. */
function primary(): PrimaryCluster {
  const cluster = new EventEmitter() as PrimaryCluster;
  installPrimary(cluster);
  return cluster;
}
const listeners = process.listeners('internalMessage' as 'message');
afterEach(() => {
  for (const listener of process.listeners('internalMessage' as 'message')) if (!listeners.includes(listener)) process.off('internalMessage', listener);
});

test.each([0, 3, '1', null, NaN, {}])('schedulingPolicy %j is no policy: ERR_INVALID_ARG_VALUE, and nothing is changed or fixed', (policy) => {
  const cluster = primary();
  const before = cluster.schedulingPolicy;
  expect(thrownBy(() => cluster.setupPrimary({ exec: 'x', schedulingPolicy: policy as number })).code).toBe('ERR_INVALID_ARG_VALUE');
  expect([cluster.schedulingPolicy, cluster.settings]).toEqual([before, {}]);
  cluster.setupPrimary({ schedulingPolicy: cluster.SCHED_NONE });
  expect(cluster.schedulingPolicy).toBe(cluster.SCHED_NONE);
});

test('schedulingPolicy: the first call fixes it, with or without one; later the same one is taken, another one is refused before anything changes', () => {
  for (const first of [{}, { schedulingPolicy: 2 }, { schedulingPolicy: undefined }]) {
    const cluster = primary();
    cluster.setupPrimary(first);
    cluster.setupPrimary({ schedulingPolicy: 2 });
    expect(thrownBy(() => cluster.setupPrimary({ exec: 'x', schedulingPolicy: 1 }))).toMatchObject({
      code: 'ERR_INVALID_STATE', message: 'Invalid state: the first fork() or setupPrimary() has fixed the scheduling policy as SCHED_RR',
    });
    expect([cluster.schedulingPolicy, cluster.settings.exec === 'x']).toEqual([2, false]);
  }
  // A later call without it does not read what an earlier one has left in the settings.
  const cluster = primary();
  cluster.setupPrimary({ schedulingPolicy: 1 });
  cluster.schedulingPolicy = 2;
  cluster.setupPrimary({ args: [] });
  expect(cluster.schedulingPolicy).toBe(2);
});

test('forkSettings: exactly one more argument, an object', () => {
  const settings = {};
  expect(forkSettings([settings])).toBe(settings);
  expect([[], [undefined], [null], [0], ['x'], [settings, []], [0, []]].map(forkSettings)).toEqual(Array(7).fill(null));
});
