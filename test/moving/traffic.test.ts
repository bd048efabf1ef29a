/** D58: no request, no connection and no answer is lost, however often connections move. The full run: `npx tsx test/moving/traffic.ts`. */
import { expect, test } from 'vitest';
import { traffic } from './traffic';

test('1,000 moves under 100 clients of all kinds: nothing failed, nothing closed, no answer to the wrong client', { timeout: 120_000 }, async () => {
  const { failed, closed, wrong, moves, requests, counters } = await traffic(1_000, { everyMs: 10, deadlineMs: 60_000 });
  expect({ failed, closed, wrong }).toEqual({ failed: [], closed: [], wrong: [] });
  expect(moves).toBeGreaterThanOrEqual(1_000);
  expect(requests).toBeGreaterThan(500);
  // Each connection was accepted once: no client has connected a second time.
  expect(counters['accepted']).toBe(100);
});
