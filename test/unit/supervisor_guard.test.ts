/** The guard's rule alone: the limit in every window, the delays, what resets them. */
import { describe, expect, test } from 'vitest';
import { Guard, type GuardRule } from '../../internal/supervisor/restart_budget';
import { seeded } from '../support/children';

const rule: GuardRule = { max: 5, maxAll: 8, withinMs: 10_000, healthyMs: 2_000, minDelayMs: 100, maxDelayMs: 1_000, jitter: 0 };

describe('delays', () => {
  test('the first death costs nothing, then they double up to the limit', () => {
    const guard = new Guard(rule, () => 0.5);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(() => guard.died(1, 0))).toEqual([0, 100, 200, 400, 800, 1000, 1000, 1000]);
    expect(guard.failures(1)).toBe(8);
  });

  test('a worker that lived long enough ends the streak; places do not know of each other', () => {
    const guard = new Guard(rule, () => 0.5);
    expect([guard.died(1, 0), guard.died(1, 0), guard.died(1, 1999), guard.died(2, 0)]).toEqual([0, 100, 200, 0]);
    expect([guard.died(1, 2000), guard.died(1, 0)]).toEqual([0, 100]);
  });

  test('jitter moves a delay both ways, by its share', () => {
    const delay = (random: number): number => {
      const guard = new Guard({ ...rule, jitter: 0.25 }, () => random);
      guard.died(1, 0);
      return guard.died(1, 0);
    };
    expect([delay(0), delay(0.5), delay(1)]).toEqual([75, 100, 125]);
  });

  test('a very long streak is no infinite delay', () => {
    const guard = new Guard({ ...rule, maxDelayMs: 5_000 }, () => 0.5);
    for (let death = 0; death < 2000; death++) guard.died(1, 0);
    expect(guard.died(1, 0)).toBe(5_000);
  });
});

describe('the limits', () => {
  test('beyond its own a place is given up, unless its worker had lived long: that one waits for room', () => {
    const guard = new Guard(rule, () => 0.5);
    for (let at = 0; at < 5; at++) expect(guard.ask(1, at, 0)).toEqual({ is: 'start' });
    expect(guard.ask(1, 5, 0)).toEqual({ is: 'give up', budget: 'place' });
    expect(guard.ask(1, 5, 2_000)).toEqual({ is: 'wait', until: 10_000 });
    expect(guard.ask(1, 9_999, 0)).toEqual({ is: 'give up', budget: 'place' });
    expect(guard.ask(1, 10_000, 0)).toEqual({ is: 'start' });
    expect(guard.ask(1, 10_000, 0)).toEqual({ is: 'give up', budget: 'place' });
  });

  /** Issue 17, 25: the tenth death of place 1 used up what place 2 needed for its first. */
  test('a place does not pay for the deaths of another; a storm of all meets the limit for all', () => {
    const guard = new Guard(rule, () => 0.5);
    for (let at = 0; at < 5; at++) guard.ask(1, at, 0);
    expect(guard.ask(1, 5, 0), 'place 1 is at its end').toEqual({ is: 'give up', budget: 'place' });
    expect([guard.ask(2, 6, 0), guard.ask(2, 7, 0), guard.ask(3, 8, 0)], 'the others are not').toEqual(Array(3).fill({ is: 'start' }));
    expect(guard.ask(2, 9, 0), 'eight of all, and two of its own').toEqual({ is: 'give up', budget: 'all' });
    expect(guard.ask(2, 9, 2_000)).toEqual({ is: 'wait', until: 10_000 });
    expect(guard.ask(4, 10, 0), 'the first of its own').toEqual({ is: 'start' });
  });

  test('in no window are more restarts than allowed: 300 random runs of the clock', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const below = seeded(seed);
      const max = 1 + below(12);
      const tried: GuardRule = { ...rule, max, maxAll: max + below(12), withinMs: 1 + below(5_000), jitter: below(2) / 2 };
      const guard = new Guard(tried, () => below(1000) / 1000);
      const restarts: { at: number; place: number }[] = [];
      let now = 0;
      for (let death = 0; death < 60; death++) {
        const servedMs = below(2) === 0 ? 0 : below(4_000);
        const place = below(4);
        now += servedMs / 10 + guard.died(place, servedMs) * below(2);
        let verdict = guard.ask(place, now, servedMs);
        if (verdict.is === 'wait') {
          expect(verdict.until).toBeGreaterThan(now);
          now = verdict.until;
          verdict = guard.ask(place, now, servedMs);
          expect(verdict, `seed ${seed}: there is room when it said so`).toEqual({ is: 'start' });
        }
        if (verdict.is === 'start') restarts.push({ at: now, place });
      }
      const most = (of: { at: number }[]): number => Math.max(0, ...of.map(({ at: from }) => of.filter(({ at }) => at >= from && at < from + tried.withinMs).length));
      expect(most(restarts), `seed ${seed}: of all`).toBeLessThanOrEqual(tried.maxAll + 4);
      for (let place = 0; place < 4; place++) expect(most(restarts.filter((one) => one.place === place)), `seed ${seed}: of one`).toBeLessThanOrEqual(tried.max);
    }
  });
});
