/** D59: the rule of rebalancing, tick by tick, and which worker gets a returned connection. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { performance, timers } from '../../internal/builtins';
import { Rebalancing, rebalanceFrom } from '../../internal/master/rebalancing';
import { Scheduler } from '../../internal/master/scheduler';
import { checkOptions } from '../../internal/supervisor/options';
import { FakeConnection } from '../support/cluster_fakes';

let tick: (() => void) | null = null;
let now = 1000;

beforeEach(() => {
  tick = null;
  now = 1000;
  vi.spyOn(timers, 'setInterval').mockImplementation(((call: () => void) => {
    tick = call;
    return { unref: () => 'timer' };
  }) as never);
  vi.spyOn(timers, 'clearInterval').mockImplementation((() => { tick = null; }) as never);
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => { vi.restoreAllMocks(); });

/** Workers that have so many connections open, and give what they are asked for unless they are in `stuck`. */
class Address {
  readonly scheduler = new Scheduler<string>();
  readonly rebalancing = new Rebalancing<string>(this.scheduler.candidates);
  readonly asked: Record<string, number[]> = {};
  readonly open: Record<string, number> = {};

  constructor(open: Record<string, number>, { perSecond = 500, stuck = [] as string[], weights = {} as Record<string, number> } = {}) {
    let id = 0;
    for (const [worker, count] of Object.entries(open)) {
      this.scheduler.add(worker, ++id, 12, weights[worker] ?? 1, true);
      this.asked[worker] = [];
      this.open[worker] = count;
      this.scheduler.report(worker, count);
      this.rebalancing.add(worker, { perSecond }, (max) => {
        this.asked[worker]?.push(max);
        if (!stuck.includes(worker)) for (let at = 0; at < max; at++) this.#give(worker);
      });
    }
  }

  #give(giver: string): void {
    this.scheduler.returned(giver);
    this.rebalancing.returned(giver);
    const candidate = this.scheduler.next(new FakeConnection(1), giver);
    if (candidate === null) throw new Error('nobody takes it');
    this.scheduler.ended(candidate, 'accepted');
  }

  now(): Record<string, number> {
    return Object.fromEntries(this.scheduler.candidates.map(({ worker, open }) => [worker, open]));
  }
}

describe('the rule', () => {
  test('two new workers get their share in one tick, and then nobody is asked', () => {
    const address = new Address({ a: 50, b: 50, c: 0, d: 0 });
    tick?.();
    expect(address.now()).toEqual({ a: 25, b: 25, c: 25, d: 25 });
    for (let at = 0; at < 100; at++) tick?.();
    expect(address.asked).toEqual({ a: [25], b: [25], c: [], d: [] });
  });

  // While the last of ten returned connections were on their way, the rule saw fewer in all, and asked for one more.
  test('connections that are on their way count', () => {
    const scheduler = new Scheduler<string>();
    let queued = 0;
    const rebalancing = new Rebalancing<string>(scheduler.candidates, () => queued);
    const questions: number[][] = [];
    for (const [worker, open] of [['a', 20], ['b', 0]] as const) {
      scheduler.add(worker, open, 12, 1, true);
      scheduler.report(worker, open);
      rebalancing.add(worker, { perSecond: 500 }, (...question) => questions.push(question));
    }
    tick?.();
    for (let at = 0; at < 10; at++) scheduler.returned('a');
    const taken = [1, 2].map((fd) => scheduler.next(new FakeConnection(fd), 'a'));
    expect(taken.map((candidate) => candidate?.worker)).toEqual(['b', 'b']);
    queued = 8;
    for (let at = 0; at < 3; at++) tick?.();
    expect(questions).toEqual([[10, 10]]);
  });

  test('a question says how many connections the worker shall keep', () => {
    const scheduler = new Scheduler<string>();
    const rebalancing = new Rebalancing<string>(scheduler.candidates);
    const questions: number[][] = [];
    for (const [worker, open] of [['a', 21], ['b', 0]] as const) {
      scheduler.add(worker, open, 12, 1, true);
      scheduler.report(worker, open);
      rebalancing.add(worker, { perSecond: 40 }, (...question) => questions.push(question));
    }
    for (let at = 0; at < 2; at++) tick?.();
    // It has given nothing yet, so the second question is about the same ten.
    expect(questions).toEqual([[4, 11], [4, 11]]);
  });

  test('a share is by weight', () => {
    const address = new Address({ a: 40, b: 0 }, { weights: { a: 1, b: 3 } });
    tick?.();
    expect(address.now()).toEqual({ a: 10, b: 30 });
  });

  test('small differences stay; who has begun goes on to its share', () => {
    expect([[2, 0], [11, 9], [52, 48]].map(([a, b]) => {
      const address = new Address({ a: a as number, b: b as number });
      tick?.();
      return address.asked['a'];
    })).toEqual([[], [], []]);
    const address = new Address({ a: 58, b: 42 }, { perSecond: 50 });
    for (let at = 0; at < 3; at++) tick?.();
    expect(address.asked['a']).toEqual([5, 3]);
  });

  test('never more than perSecond, however many workers', () => {
    const address = new Address({ a: 1000, b: 1000, c: 0, d: 0 }, { perSecond: 100 });
    for (let at = 0; at < 10; at++) tick?.();
    expect([...address.asked['a'] ?? [], ...address.asked['b'] ?? []].reduce((sum, each) => sum + each, 0)).toBe(100);
  });

  test('a fraction of a move per tick adds up', () => {
    const address = new Address({ a: 10, b: 0 }, { perSecond: 1 });
    for (let at = 0; at < 20; at++) tick?.();
    expect(address.asked['a']).toEqual([1, 1]);
  });

  test('a worker that gives nothing is asked less and less often, and as ever when it gives again', () => {
    const stuck = ['a'];
    const address = new Address({ a: 100, b: 0 }, { stuck });
    const asks: number[] = [];
    for (let at = 0; at < 64; at++) {
      const before = address.asked['a']?.length;
      tick?.();
      if (address.asked['a']?.length !== before) asks.push(at);
    }
    expect(asks).toEqual([0, 1, 3, 7, 15, 31, 63]);
    stuck.pop();
    for (let at = 0; at < 130; at++) tick?.();
    expect(address.now()).toEqual({ a: 50, b: 50 });
  });

  test('a worker that rejects is not counted, until it accepts, or for a while', () => {
    const address = new Address({ a: 10, b: 10, canary: 0 });
    const canary = address.scheduler.candidates.find(({ worker }) => worker === 'canary') as never;
    address.scheduler.ended(canary, 'rejected');
    tick?.();
    expect(address.asked).toEqual({ a: [], b: [], canary: [] });
    now += 600;
    tick?.();
    expect(address.asked['a']?.length).toBe(1);
  });

  test('one worker alone needs no timer', () => {
    const address = new Address({ a: 10 });
    expect(tick).toBe(null);
    address.rebalancing.add('b', { perSecond: 1 }, () => undefined);
    expect(tick).not.toBe(null);
    address.rebalancing.remove('b');
    expect(tick).toBe(null);
  });
});

describe('a returned connection', () => {
  const withRule = (scheduling: ConstructorParameters<typeof Scheduler>[0], open: Record<string, number> = { a: 5, b: 9, c: 1 }): Scheduler<string> => {
    const scheduler = new Scheduler<string>(scheduling);
    let id = 0;
    for (const [worker, count] of Object.entries(open)) {
      scheduler.add(worker, ++id, 12);
      scheduler.report(worker, count);
    }
    return scheduler;
  };
  const connection = new FakeConnection(1);

  test('goes to the worker with the fewest, not to its giver, also under round robin', () => {
    expect(withRule('round-robin').next(connection, 'b')?.worker).toBe('c');
    expect(withRule('round-robin').next(connection, 'c')?.worker).toBe('a');
    expect(withRule(() => 2).next(connection, 'a')?.worker).toBe('b');
  });

  test('waits while the others are busy, and goes back when they have been silent for a while', () => {
    const scheduler = withRule('round-robin', { a: 5, b: 9 });
    while (scheduler.next(connection, 'a') !== null) expect(scheduler.candidates[0]?.inFlight).toBe(0);
    now += 50;
    expect(scheduler.next(connection, 'a')?.worker).toBe('a');
  });

  test('one that was rejected goes to others first', () => {
    const scheduler = withRule('round-robin');
    const rejecting = scheduler.next(connection, 'b');
    expect(rejecting?.worker).toBe('c');
    scheduler.ended(rejecting as never, 'rejected');
    expect(scheduler.next(connection, 'b')?.worker).toBe('a');
  });

  test('stays under sticky, and where nobody else listens', () => {
    expect(withRule('sticky').mustKeep('a')).toBe(true);
    expect(withRule('round-robin').mustKeep('a')).toBe(false);
    expect(withRule('round-robin', { a: 1 }).mustKeep('a')).toBe(true);
    // A worker that does not listen there any more keeps nothing.
    expect(withRule('sticky').mustKeep('z')).toBe(false);
  });
});

test.each([[undefined, null], [false, null], [true, 500], [{}, 500], [{ perSecond: 5 }, 5], [{ perSecond: undefined }, 500]])('rebalance: %j', (given, perSecond) => {
  expect(rebalanceFrom(given as never)).toEqual(perSecond === null ? null : { perSecond });
});

test.each([[0, 'ERR_INVALID_ARG_VALUE'], [-1, 'ERR_INVALID_ARG_VALUE'], ['5', 'ERR_INVALID_ARG_VALUE'], [0.5, null], [Infinity, null]])('the supervisor and the cluster take the same perSecond: %j', (perSecond, code) => {
  const codeOf = (check: () => unknown): string | null => {
    try {
      check();
      return null;
    } catch (error) {
      return String((error as { code?: unknown }).code);
    }
  };
  expect([codeOf(() => rebalanceFrom({ perSecond } as never)), codeOf(() => checkOptions({ rebalance: { perSecond } as never }))]).toEqual([code, code]);
});

test.each([[1], ['yes'], [null], [{ perSecond: 0 }], [{ perSecond: 'x' }], [{ perSecond: Number.NaN }], [{ other: 1 }]])('rebalance: %j is refused', (given) => {
  expect(() => rebalanceFrom(given as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
});
