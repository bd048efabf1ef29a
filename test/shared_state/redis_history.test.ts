/**
 * Eight processes on two machines share a state over a real Redis, which is killed and flushed meanwhile; some of the
 * processes are killed, too. Many more such histories: npx tsx test/shared_state/redis_hunt.ts --help
 */
import { describe, expect, test } from 'vitest';
import { NO_REDIS, hasRedis } from '../support/redis_server';
import { playHistory } from './redis_history';

if (!hasRedis) console.error(NO_REDIS);

describe.runIf(hasRedis)('histories over Redis', () => {
  test('8 processes, 2 of them killed, Redis killed, started again and flushed: linearizable, or an error says what is not known', { timeout: 120_000 }, async () => {
    const { calls, killed, entered, errors } = await playHistory({ seed: 1, operations: 80, kills: 1, blows: ['restart', 'restart', 'flush'] });
    expect([calls >= 640, killed, entered > 0]).toEqual([true, 2, true]);
    expect(errors['ERR_SHARED_STATE_LOST']).toBeGreaterThan(0);
  });
});
