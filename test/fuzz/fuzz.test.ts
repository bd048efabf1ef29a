/**
 * 2,000 random cases (`npm run soak` plays 100,000): frames, handle envelopes, cluster messages to a
 * primary and to a worker. A failure prints its seed and the shrunk case.
 */
import { expect, test } from 'vitest';
import { fuzz } from './fuzz';
import { targets } from './targets';

const CASES = 2000;

for (const target of targets) {
  test(target.name, () => {
    expect(fuzz(target, 1, (CASES * target.share) / 100)).toBeNull();
  });
}
