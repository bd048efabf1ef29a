/** The restart budget alone, without processes and timers: back-off delays, what ends them, and the limits in each window. */
import { describe, expect, test } from 'vitest';
import { RestartBudget, type RestartLimits } from '../../internal/supervisor/restart_budget';
import { seeded } from '../support/children';

const rule: RestartLimits = { max: 5, maxAll: 8, withinMs: 10_000, healthyMs: 2_000, minDelayMs: 100, maxDelayMs: 1_000, jitter: 0 };

describe('the back-off', () => {
  test('no delay after the first failure; then delays that double up to maxDelayMs', () => {
    const budget = new RestartBudget(rule, () => 0.5);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(() => budget.backOffMs(1, 0))).toEqual([0, 100, 200, 400, 800, 1000, 1000, 1000]);
    expect(budget.failures(1)).toBe(8);
  });

  test('a worker that served for healthyMs ends the series of failures; each slot has a series of its own', () => {
    const budget = new RestartBudget(rule, () => 0.5);
    expect([budget.backOffMs(1, 0), budget.backOffMs(1, 0), budget.backOffMs(1, 1999), budget.backOffMs(2, 0)]).toEqual([0, 100, 200, 0]);
    expect([budget.backOffMs(1, 2000), budget.backOffMs(1, 0)]).toEqual([0, 100]);
  });

  test('jitter makes a delay longer or shorter by up to its share', () => {
    const delay = (random: number): number => {
      const budget = new RestartBudget({ ...rule, jitter: 0.25 }, () => random);
      budget.backOffMs(1, 0);
      return budget.backOffMs(1, 0);
    };
    expect([delay(0), delay(0.5), delay(1)]).toEqual([75, 100, 125]);
  });

  test('after 2000 failures in a row the delay is still maxDelayMs', () => {
    const budget = new RestartBudget({ ...rule, maxDelayMs: 5_000 }, () => 0.5);
    for (let death = 0; death < 2000; death++) budget.backOffMs(1, 0);
    expect(budget.backOffMs(1, 0)).toBe(5_000);
  });
});

describe('the limits', () => {
  test('a slot that has used up its budget is given up; if its worker had served for healthyMs, it waits for room instead', () => {
    const budget = new RestartBudget(rule, () => 0.5);
    for (let at = 0; at < 5; at++) expect(budget.charge(1, at, 0)).toEqual({ is: 'start' });
    expect(budget.charge(1, 5, 0)).toEqual({ is: 'give up', budget: 'slot' });
    expect(budget.charge(1, 5, 2_000)).toEqual({ is: 'wait', until: 10_000 });
    expect(budget.charge(1, 9_999, 0)).toEqual({ is: 'give up', budget: 'slot' });
    expect(budget.charge(1, 10_000, 0)).toEqual({ is: 'start' });
    expect(budget.charge(1, 10_000, 0)).toEqual({ is: 'give up', budget: 'slot' });
  });

  /** Fixed fault: the tenth death in slot 1 used up the restart that slot 2 needed for its first death. */
  test('a slot does not pay for the deaths in another slot; many deaths in all slots meet the limit maxAll', () => {
    const budget = new RestartBudget(rule, () => 0.5);
    for (let at = 0; at < 5; at++) budget.charge(1, at, 0);
    expect(budget.charge(1, 5, 0), 'slot 1 has used up its budget').toEqual({ is: 'give up', budget: 'slot' });
    expect([budget.charge(2, 6, 0), budget.charge(2, 7, 0), budget.charge(3, 8, 0)], 'slots 2 and 3 have not').toEqual(Array(3).fill({ is: 'start' }));
    expect(budget.charge(2, 9, 0), 'eight restarts of all slots are in the window, two of them of slot 2').toEqual({ is: 'give up', budget: 'all' });
    expect(budget.charge(2, 9, 2_000)).toEqual({ is: 'wait', until: 10_000 });
    expect(budget.charge(4, 10, 0), 'the first restart of slot 4').toEqual({ is: 'start' });
  });

  test('no window has more restarts than allowed: 300 random sequences of deaths', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const below = seeded(seed);
      const max = 1 + below(12);
      const tried: RestartLimits = { ...rule, max, maxAll: max + below(12), withinMs: 1 + below(5_000), jitter: below(2) / 2 };
      const budget = new RestartBudget(tried, () => below(1000) / 1000);
      const restarts: { at: number; slot: number }[] = [];
      let now = 0;
      for (let death = 0; death < 60; death++) {
        const servedMs = below(2) === 0 ? 0 : below(4_000);
        const slot = below(4);
        now += servedMs / 10 + budget.backOffMs(slot, servedMs) * below(2);
        let verdict = budget.charge(slot, now, servedMs);
        if (verdict.is === 'wait') {
          expect(verdict.until).toBeGreaterThan(now);
          now = verdict.until;
          verdict = budget.charge(slot, now, servedMs);
          expect(verdict, `seed ${seed}: there is room at the time that it named`).toEqual({ is: 'start' });
        }
        if (verdict.is === 'start') restarts.push({ at: now, slot });
      }
      const most = (of: { at: number }[]): number => Math.max(0, ...of.map(({ at: from }) => of.filter(({ at }) => at >= from && at < from + tried.withinMs).length));
      expect(most(restarts), `seed ${seed}: restarts of all slots`).toBeLessThanOrEqual(tried.maxAll + 4);
      for (let slot = 0; slot < 4; slot++) expect(most(restarts.filter((restart) => restart.slot === slot)), `seed ${seed}: restarts of slot ${slot}`).toBeLessThanOrEqual(tried.max);
    }
  });
});
