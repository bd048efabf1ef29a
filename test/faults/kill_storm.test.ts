/**
 * Random workers are killed every 100 ms under 64 clients, with nobody who listens to 'error' in the
 * primary: no client hangs, no connection is served twice, the primary lives and has its fds back.
 * `npm run soak` has the long ones.
 */
import { describe, expect, test } from 'vitest';
import { storm, type StormOptions } from '../soak/storm';

const storms: StormOptions[] = [
  { policy: 'rr', kills: 25 }, { policy: 'rr', dialect: 'node', kills: 25 },
  { policy: 'none', kills: 20 }, { policy: 'none', dialect: 'node', kills: 20 },
];

describe.concurrent('kill storm', () => {
  for (const options of storms) {
    test(`${options.kills} kills, ${options.policy} ${options.dialect ?? 'pipelined'}`, async () => {
      const { fds, rss: _rss, samples: _samples, ...seen } = await storm({ workers: 4, ...options });
      expect(seen).toEqual({
        kills: options.kills, served: expect.any(Number), reset: expect.any(Number), unclaimed: expect.any(Number), refused: expect.any(Number), hung: 0, twice: 0, died: null,
      });
      expect(seen.served, JSON.stringify(seen)).toBeGreaterThan(0);
      expect(fds[1]).toBeLessThanOrEqual(fds[0]);
    });
  }
});
