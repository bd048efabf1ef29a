/** The guard's rule alone: the limit in every window, the delays, what resets them. */
import { describe, expect, test } from 'vitest';
import { Guard, type GuardRule } from '../../internal/supervisor/guard';
import { seeded } from '../support/children';

const rule: GuardRule = { max: 5, withinMs: 10_000, healthyMs: 2_000, minDelayMs: 100, maxDelayMs: 1_000, jitter: 0 };

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

describe('the limit', () => {
  test('beyond it a place is given up, unless its worker had lived long: that one waits for room', () => {
    const guard = new Guard(rule, () => 0.5);
    for (let at = 0; at < 5; at++) expect(guard.ask(at, 0)).toEqual({ is: 'start' });
    expect(guard.ask(5, 0)).toEqual({ is: 'give up' });
    expect(guard.ask(5, 2_000)).toEqual({ is: 'wait', until: 10_000 });
    expect(guard.ask(9_999, 0)).toEqual({ is: 'give up' });
    expect(guard.ask(10_000, 0)).toEqual({ is: 'start' });
    expect(guard.ask(10_000, 0)).toEqual({ is: 'give up' });
  });

  test('in no window are more restarts than allowed: 300 random runs of the clock', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const below = seeded(seed);
      const tried: GuardRule = { ...rule, max: 1 + below(12), withinMs: 1 + below(5_000), jitter: below(2) / 2 };
      const guard = new Guard(tried, () => below(1000) / 1000);
      const restarts: number[] = [];
      let now = 0;
      for (let death = 0; death < 60; death++) {
        const servedMs = below(2) === 0 ? 0 : below(4_000);
        now += servedMs / 10 + guard.died(below(4), servedMs) * below(2);
        let verdict = guard.ask(now, servedMs);
        if (verdict.is === 'wait') {
          expect(verdict.until).toBeGreaterThan(now);
          now = verdict.until;
          verdict = guard.ask(now, servedMs);
          expect(verdict, `seed ${seed}: there is room when it said so`).toEqual({ is: 'start' });
        }
        if (verdict.is === 'start') restarts.push(now);
      }
      const most = Math.max(...restarts.map((from) => restarts.filter((at) => at >= from && at < from + tried.withinMs).length));
      expect(most, `seed ${seed}`).toBeLessThanOrEqual(tried.max);
    }
  });
});
