/**
 * The shared state in real processes, with our cluster and with stock `node:cluster`: from its opening to its end,
 * and no 'message' listener ever gets a message of it.
 */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type cluster from '../../lib/cluster';
import type * as door from '../../lib/shared_state';
import { compiled, thrownBy } from '../support/children';
import { root, run } from '../support/program';

describe.concurrent('a primary and its workers', () => {
  for (const kind of ['ours', 'stock']) {
    for (const when of ['early', 'late']) {
      test(`${kind}, opened ${when}`, async () => {
        const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/shared_state.js'), { args: [kind, when] });
        expect(stderr).toBe('');
        expect(stdout.trimEnd().split('\n')).toEqual([
          'same object: true',
          'counted: 300',
          'reader left with 0',
          'held by the worker: true',
          'freed by its death, greater token: true',
          'another leads: true',
          'after nonsense: 301',
          'left with 42', // The pending calls and the later ones were rejected.
          'closed: ERR_SHARED_STATE_CLOSED',
          'the watch goes on',
          'fds: 0',
          'listeners left: 0,0,0',
        ]);
        expect(code).toBe(0);
      });
    }
  }
});

test.each(['ours', 'stock'])('threads, children, grandchildren and copies of the module never open a second store; %s', async (kind) => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/shared_state_origin.js'), { args: [kind] });
  expect([stderr, code]).toEqual(['', 0]);
  expect(stdout.trimEnd().split('\n')).toEqual([
    'primary: a thread: UNREACHABLE',
    'primary: a forked child: UNREACHABLE',
    'primary: a spawned child: UNREACHABLE',
    'primary: a child that says separate: opened, k is undefined',
    'primary: a second copy has the same: true',
    'primary: a second cluster object: UNREACHABLE',
    'worker: a thread: UNREACHABLE',
    'worker: a forked child: UNREACHABLE',
    'worker: a forked child without environment: UNREACHABLE',
    'worker: a grandchild without environment: UNREACHABLE',
    'worker: a child with the id of a worker: UNREACHABLE',
    'worker: a spawned child with the id of a worker: UNREACHABLE',
    'worker: a child that says separate: opened, k is undefined',
    'worker: a second copy has the same: true',
    'worker: k is mine',
    'k is mine',
    'after close: a child: opened, k is undefined',
  ]);
});

describe('sharedState()', () => {
  const { sharedState } = compiled<typeof door>('lib/shared_state.js');

  test('refuses wrong options', () => {
    const code = (options: unknown): string | undefined => thrownBy(() => sharedState(options as object)).code;
    expect([null, { cluster: {} }, { cluster: 1 }, { limits: 1 }, { limits: null }, { timeoutMs: '1' }].map(code)).toEqual(Array(6).fill('ERR_INVALID_ARG_TYPE'));
    expect([{ limits: { keys: 0 } }, { limits: { keys: 1.5 } }, { timeoutMs: NaN }].map(code)).toEqual(Array(3).fill('ERR_OUT_OF_RANGE'));
    expect(code({ limits: { kyes: 1 } })).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('works in a primary without workers; a second call returns the same object and must not set limits', async () => {
    const own = compiled<typeof cluster>('lib/cluster.js');
    const listeners = (): number[] => ['fork', 'exit', 'disconnect'].map((event) => own.listenerCount(event));
    const before = listeners();
    const state = sharedState({ limits: { keys: 1 } });
    try {
      expect(sharedState()).toBe(state);
      expect(thrownBy(() => sharedState({ limits: { keys: 2 } })).code).toBe('ERR_INVALID_STATE');
      // Versions are greater than those of an earlier primary process.
      expect(await state.set('a', 1)).toBeGreaterThan((Date.now() - 60_000) * 1000);
      await expect(state.set('b', 1)).rejects.toThrow('limits.keys');
      expect((await state.replica('')).get('a').value).toBe(1);
      const lease = await state.lock('l', { ttlMs: 30 });
      const next = await state.lock('l'); // Granted when the first lease runs out, by the real clock.
      expect([lease.held, next.held, next.token > lease.token]).toEqual([false, true, true]);
    } finally {
      state.close();
    }
    expect(listeners()).toEqual(before);
    expect(sharedState()).not.toBe(state);
    sharedState().close();
  });
});
