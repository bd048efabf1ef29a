/**
 * Eight processes on two machines share a state over a real Redis, which is killed and flushed meanwhile; some of the
 * processes are killed, too. Many more such histories: npx tsx test/shared_state/redis_hunt.ts --help
 */
import { describe, expect, test } from 'vitest';
import { NO_REDIS, hasRedis } from '../support/redis_server';
import { expectExclusive, playHistory, type Line } from './redis_history';

if (!hasRedis) console.error(NO_REDIS);

describe('the check of the lock', () => {
  const time = ({ at }: { readonly at: string }): number => Number(at);
  const enter = (who: string, token: number, at: number, until: number): Line => ({ at: String(at), enter: who, token, until: String(until) });
  const leave = (who: string, token: number, at: number): Line => ({ at: String(at), leave: who, token });
  const flush = { revision: 15 };

  const doubles: Record<string, readonly [lines: readonly Line[], flushes: readonly { readonly revision: number }[]]> = {
    'one enters while the other is inside': [[enter('a', 10, 1, 100), enter('b', 20, 50, 150)], []],
    'one enters before the other has left': [[enter('a', 10, 1, 100), enter('b', 20, 50, 150), leave('a', 10, 60)], []],
    'one has noted an earlier lease later': [[enter('b', 20, 50, 150), leave('b', 20, 60), enter('a', 10, 70, 80)], []],
    'both have the same token': [[enter('a', 10, 1, 20), enter('b', 10, 50, 150)], []],
    'both got the lock before the flush, and one has noted it after it': [[enter('a', 10, 1, 100), enter('b', 14, 50, 150)], [flush]],
    'both got the lock after the flush': [[enter('a', 16, 1, 100), enter('b', 20, 50, 150)], [flush]],
    'a third one is inside': [[enter('a', 10, 1, 100), enter('b', 20, 30, 150), leave('b', 20, 35), enter('c', 12, 40, 150)], [flush]],
  };
  test.each(Object.entries(doubles))('two holders are found: %s', (_what, [lines, flushes]) => {
    expect(() => expectExclusive(lines, time, flushes)).toThrow(/enters at|same token/);
  });

  test('it finds nothing wrong with holders that follow each other, or have a flush between their tokens', () => {
    const following = [enter('a', 10, 1, 100), leave('a', 10, 40), enter('b', 20, 50, 60), enter('c', 30, 60, 90)];
    expect(expectExclusive(following, time, [])).toEqual({ entered: 3, overlaps: 0 });
    for (const lines of [[enter('a', 10, 1, 100), enter('b', 20, 50, 150)], [enter('b', 20, 50, 150), enter('a', 10, 60, 100)]]) {
      expect(expectExclusive(lines, time, [flush])).toEqual({ entered: 2, overlaps: 1 });
    }
  });
});

describe.runIf(hasRedis)('histories over Redis', () => {
  test('8 processes, 2 of them killed, Redis killed, started again and flushed: linearizable, or an error says what is not known', { timeout: 120_000 }, async () => {
    const { calls, killed, entered, errors } = await playHistory({ seed: 1, operations: 80, kills: 1, blows: ['restart', 'restart', 'flush'] });
    expect([calls >= 640, killed, entered > 0]).toEqual([true, 2, true]);
    expect(errors['ERR_SHARED_STATE_LOST']).toBeGreaterThan(0);
  });
});
