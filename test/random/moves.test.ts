/** D58: a sample of the random sequences with moves. All 2,000: `npm run random -- --moves`. */
import { expect, test } from 'vitest';
import { generateMoves, playMoves } from './moves';

test('20 random sequences: each request is answered once, by somebody, or its connection is closed where its worker ended', { timeout: 300_000 }, async () => {
  const played = await playMoves(Array.from({ length: 20 }, (_, at) => at + 1));
  expect(played.filter(({ wrong }) => wrong.length > 0).map(({ seed, wrong }) => ({ seed, wrong, actions: generateMoves(seed) }))).toEqual([]);
  // They do what they are here for.
  expect(played.reduce((sum, { moved }) => sum + moved, 0)).toBeGreaterThan(20);
  expect(played.reduce((sum, { closed }) => sum + closed, 0)).toBeGreaterThan(0);
});

test('a seed gives the same sequence each time', () => {
  for (let seed = 1; seed <= 100; seed++) expect(generateMoves(seed)).toEqual(generateMoves(seed));
});
