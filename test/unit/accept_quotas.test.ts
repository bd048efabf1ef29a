/** The quotas of workers that accept by themselves (D64): who may go on, and that nobody has to wait for anybody. */
import { beforeEach, expect, test } from 'vitest';
import { AcceptQuotas, type QuotaTerms } from '../../internal/master/accept_quotas';
import { readPrimaryMessage } from '../../internal/messages';

let now = 0;
let timers: { readonly at: number; readonly callback: () => void }[] = [];
const clock = {
  now: () => now,
  after(ms: number, callback: () => void) {
    const timer = { at: now + ms, callback };
    timers.push(timer);
    return () => { timers = timers.filter((one) => one !== timer); };
  },
};

/** Time passes, and timers run. */
function pass(ms: number): void {
  const end = now + ms;
  for (;;) {
    const next = timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
    if (next === undefined) break;
    timers = timers.filter((one) => one !== next);
    now = Math.max(now, next.at);
    next.callback();
  }
  now = end;
}

let quotas: AcceptQuotas<string>;
let sent: [worker: string, terms: QuotaTerms][];
const last = (worker: string): QuotaTerms | undefined => sent.filter(([to]) => to === worker).at(-1)?.[1];

beforeEach(() => {
  now = 1000;
  timers = [];
  sent = [];
  quotas = new AcceptQuotas<string>((worker, terms) => void sent.push([worker, terms]), clock);
});

function workers(count: number, weight = 1): string[] {
  const names = Array.from({ length: count }, (_, at) => `w${at + 1}`);
  for (const name of names) quotas.add(name, weight);
  return names;
}

test('a worker may be ahead of the lowest by the bound', () => {
  workers(4);
  for (const [worker, total] of [['w1', 8], ['w2', 3], ['w3', 2], ['w4', 0]] as const) quotas.report(worker, { total, open: 0 });
  pass(40);
  expect(last('w1')?.upTo).toBe(8);
  quotas.report('w4', { total: 2, open: 0 });
  quotas.report('w3', { total: 9, open: 0 });
  quotas.report('w1', { total: 10, open: 0 });
  pass(100);
  expect(last('w1')?.upTo).toBe(10);
});

test('a quota grows at the pace of the connections, and the bound is what comes in 75 ms: nothing is sent while all is even', () => {
  const [one, other] = workers(2) as [string, string];
  for (let step = 1; step <= 40; step++) {
    for (const worker of [one, other]) quotas.report(worker, { total: step * 50, open: 0 });
    pass(50);
  }
  expect(last(one)?.pace).toBeCloseTo(1.25, 1); // a quarter more than what comes
  expect(last(one)?.step).toBeGreaterThan(70);
  expect(last(one)?.step).toBeLessThan(80);
  sent = [];
  for (let step = 41; step <= 50; step++) {
    for (const worker of [one, other]) quotas.report(worker, { total: step * 50, open: 0 });
    pass(50);
  }
  expect(sent.length).toBeLessThanOrEqual(2); // That the primary lives is said once in a second.
});

test('the pace is that of all workers: one that gets everything has to leave the others their part', () => {
  workers(4);
  for (let step = 1; step <= 8; step++) {
    quotas.report('w1', { total: step * 250, open: 0 });
    pass(250);
  }
  expect(last('w1')?.pace).toBeCloseTo(0.25 * 1.25, 2);
});

test('weights: who weighs three times as much may have three times as many', () => {
  quotas.add('light', 1);
  quotas.add('heavy', 3);
  quotas.report('light', { total: 40, open: 0 });
  quotas.report('heavy', { total: 60, open: 0 });
  pass(40);
  expect([last('light')?.upTo, last('heavy')?.upTo].map((upTo) => upTo ?? Infinity)).toEqual([28, 84]);
});

test.each([[1, 8], [3, 24]])('a worker that joins with weight %d does not get everything until it has caught up', (weight, upTo) => {
  workers(2);
  for (const worker of ['w1', 'w2']) quotas.report(worker, { total: 1000, open: 0 });
  pass(40);
  quotas.add('w3', weight);
  quotas.report('w3', { total: 1, open: 0 });
  pass(100);
  expect(last('w3')?.upTo).toBe(upTo); // It counts as if it had accepted 1000 for each unit of weight, too.
  expect(last('w1')?.upTo).toBe(1008);
});

test('a worker that has not reported yet has accepted nothing: the others leave it its part', () => {
  workers(2);
  quotas.report('w1', { total: 20, open: 0 });
  pass(40);
  expect(last('w1')?.upTo).toBe(8);
});

test('there is one timer, also if a computation comes before the next answer that is due', () => {
  workers(2);
  for (let total = 1; total < 40; total++) {
    for (const worker of ['w1', 'w2']) quotas.report(worker, { total, open: 0 });
    expect(timers).toHaveLength(1);
    pass(150);
  }
});

test('a worker that was far ahead waits for three bounds, and no more', () => {
  workers(4);
  for (const [worker, total] of [['w1', 1000], ['w2', 1], ['w3', 1], ['w4', 1]] as const) quotas.report(worker, { total, open: 0 });
  pass(40);
  expect(last('w1')?.upTo).toBe(1000 - 16); // 16 fewer than it has: it counts as if it were 24 ahead, of which 8 are allowed
  for (const worker of ['w2', 'w3', 'w4']) quotas.report(worker, { total: 18, open: 0 });
  quotas.report('w1', { total: 1000, open: 0 });
  pass(100);
  expect(last('w1')?.upTo).toBeGreaterThan(1000);
});

test('one worker alone has no quota, nor have two of which one is at its maxConnections', () => {
  quotas.add('w1', 1);
  quotas.report('w1', { total: 50, open: 0 });
  pass(250);
  expect(last('w1')).toEqual({ step: expect.any(Number) as number });
  quotas.add('w2', 1);
  quotas.report('w2', { total: 2, open: 2, full: true });
  quotas.report('w1', { total: 500, open: 0 });
  pass(250);
  expect(last('w1')?.upTo).toBeUndefined();
});

test('a worker that accepts nothing while others find connections is absent: the others go on, and it is present when it has accepted one', () => {
  workers(3);
  for (const worker of ['w1', 'w2', 'w3']) quotas.report(worker, { total: 10, open: 0 });
  pass(300);
  expect(last('w3')?.upTo).toBe(18);
  quotas.report('w1', { total: 30, open: 0, found: true });
  quotas.report('w2', { total: 26, open: 0, found: true });
  pass(250);
  expect(last('w1')?.upTo).toBeGreaterThanOrEqual(34);
  quotas.report('w3', { total: 10, open: 3 }); // It says something, but it has accepted nothing.
  quotas.report('w1', { total: 34, open: 0 });
  quotas.report('w2', { total: 34, open: 0 });
  pass(250);
  // With w3 it would be at 18.
  expect((last('w1')?.upTo ?? 0) + 250 * (last('w1')?.pace ?? 0)).toBeGreaterThanOrEqual(42);
  quotas.report('w3', { total: 11, open: 0 });
  quotas.report('w1', { total: 90, open: 0 });
  quotas.report('w2', { total: 80, open: 0 });
  pass(250);
  expect(last('w1')?.upTo).toBeLessThan(90); // It waits for w3 again, which counts as if it had what the others had.
});

// Of three, the first has found connections, the second is at its quota, and the third is neither: it alone could have accepted them.
test('a worker that has found connections, or is at its quota, is not absent', () => {
  workers(3);
  for (const worker of ['w1', 'w2', 'w3']) quotas.report(worker, { total: 10, open: 0 });
  pass(1000);
  quotas.report('w2', { total: 600, open: 0 });
  pass(110);
  quotas.report('w2', { total: 600, open: 0 });
  quotas.report('w1', { total: 10, open: 0, found: true });
  pass(250);
  expect(last('w2')?.upTo).toBeGreaterThan(0); // Two compete.
});

test('a worker that has accepted less than half of its part is absent', () => {
  workers(2);
  for (let period = 1; period <= 8; period++) {
    quotas.report('w1', { total: period * 40, open: 0, found: true });
    quotas.report('w2', { total: period * 5, open: 0 });
    pass(250);
  }
  expect(last('w1')?.upTo).toBeUndefined();
});

test('a worker that was full counts as if it had what the others had', () => {
  workers(3);
  for (const worker of ['w1', 'w2']) quotas.report(worker, { total: 1000, open: 0 });
  quotas.report('w3', { total: 0, open: 0, full: true });
  pass(100);
  for (const worker of ['w1', 'w2']) quotas.report(worker, { total: 1001, open: 0 });
  quotas.report('w3', { total: 1, open: 0 });
  pass(100);
  expect([last('w1')?.upTo ?? Infinity, last('w3')?.upTo ?? 0].map((upTo) => upTo > 1001)).toEqual([true, false]);
});

test('a worker that joins one that was alone counts as if it had what that one had', () => {
  quotas.add('w1', 1);
  quotas.report('w1', { total: 1000, open: 0 });
  pass(100);
  quotas.add('w2', 1);
  quotas.report('w1', { total: 1001, open: 0 });
  quotas.report('w2', { total: 1, open: 0 });
  pass(100);
  expect([last('w1')?.upTo, last('w2')?.upTo]).toEqual([1009, 9]);
});

test('weights: the pace, the bound and what is forgiven', () => {
  quotas.add('light', 1);
  quotas.add('heavy', 3);
  quotas.report('light', { total: 1, open: 0 });
  quotas.report('heavy', { total: 3000, open: 0 });
  pass(40);
  const [light, heavy] = [last('light'), last('heavy')];
  expect([light?.step, heavy?.step]).toEqual([8, 24]);
  expect(heavy?.upTo).toBe(3000 - 3 * 16); // As if it were 24 ahead for each unit of weight, of which 8 are allowed.
  for (let period = 1; period <= 8; period++) {
    quotas.report('light', { total: 1 + period * 100, open: 0 });
    quotas.report('heavy', { total: 3000 + period * 300, open: 0 });
    pass(250);
  }
  expect((last('heavy')?.pace ?? 0) / (last('light')?.pace ?? 1)).toBeCloseTo(3, 1);
});

test('a worker that has accepted its part is not absent, whatever the others find', () => {
  workers(2);
  for (let period = 1; period <= 8; period++) {
    quotas.report('w1', { total: period * 40, open: 0, found: true });
    quotas.report('w2', { total: period * 30, open: 0 });
    pass(250);
  }
  expect(last('w1')?.upTo).toBeLessThan(320);
});

test('open connections: a share, a tenth of it and 16 more', () => {
  workers(4);
  for (const [worker, open] of [['w1', 400], ['w2', 200], ['w3', 200], ['w4', 0]] as const) quotas.report(worker, { total: open, open });
  pass(40);
  expect(last('w1')?.mostOpen).toBe(236);
  expect(last('w4')?.mostOpen).toBe(236);
});

test('each report is answered within a second, one of a worker beyond its quota within 100 ms', () => {
  workers(3);
  for (let times = 0; times < 20; times++) {
    sent = [];
    quotas.report('w2', { total: 1 + times % 2, open: 0 });
    pass(1000);
    expect(sent.map(([to]) => to)).toContain('w2');
  }
  for (const worker of ['w1', 'w2', 'w3']) quotas.report(worker, { total: 1, open: 0 });
  pass(200);
  sent = [];
  quotas.report('w1', { total: 5000, open: 0 });
  pass(100);
  expect(sent.map(([to]) => to)).toContain('w1');
});

test.each([
  ['that it has accepted nothing, ever', () => 0], ['more than there are atoms', () => Number.MAX_SAFE_INTEGER], ['less each time', (at: number) => 1e6 - at],
])('a worker that reports %s: of four, the three others go on', (_what, lie) => {
  workers(4);
  const honest = ['w1', 'w2', 'w3'].map((worker) => ({ worker, total: 0, wanted: 0, terms: undefined as QuotaTerms | undefined, since: 0 }));
  for (let period = 0; period < 40; period++) {
    for (const one of honest) {
      const terms = last(one.worker);
      if (terms !== one.terms) Object.assign(one, { terms, since: now });
      const quota = (terms?.upTo ?? Infinity) + (terms?.pace ?? 0) * (now + 250 - one.since);
      one.wanted += 50;
      // It takes what it may, and finds what is left.
      one.total = Math.max(one.total, Math.min(one.wanted, Math.floor(quota)));
      const found = one.total < one.wanted;
      one.total = Math.min(one.wanted, one.total + 8);
      quotas.report(one.worker, { total: one.total, open: 0, ...(found ? { found: true } : {}) });
    }
    quotas.report('w4', { total: lie(period), open: 0 });
    pass(250);
  }
  for (const { total } of honest) expect(total).toBeGreaterThan(1800);
});

test('a flood of reports: one computation in 100 ms, and no more messages than that', () => {
  workers(2);
  for (let times = 0; times < 10_000; times++) quotas.report('w1', { total: times, open: times % 7 });
  expect(timers.length).toBe(1);
  pass(100);
  expect(sent.length).toBeLessThanOrEqual(2);
});

test('a worker that has left, or was never there, is ignored; close leaves no timer', () => {
  workers(2);
  quotas.report('stranger', { total: 9, open: 9 });
  expect(timers).toEqual([]);
  quotas.report('w1', { total: 90, open: 0 });
  quotas.remove('w2');
  pass(40);
  expect(last('w1')?.upTo).toBeUndefined(); // it is alone now
  quotas.report('w1', { total: 91, open: 0 });
  quotas.close();
  expect(timers).toEqual([]);
});

test('after close a report is ignored', () => {
  workers(2);
  quotas.report('w1', { total: 90, open: 0 });
  pass(5000);
  quotas.close();
  quotas.report('w1', { total: 91, open: 0 });
  expect(timers).toEqual([]);
});

// One of two workers was stopped, and the other one waited for it to have half of the open connections.
test.each([
  ['silent while connections wait', false], ['at its maxConnections', true],
])('open connections: a worker that is %s has no share of them, and the other one has no bound', (_what, full) => {
  workers(2);
  quotas.report('w2', { total: 9, open: 9, ...(full ? { full: true } : {}) });
  for (let total = 40; total < 700; total += 40) {
    quotas.report('w1', { total, open: total, found: true });
    pass(25);
  }
  expect(last('w1')).toEqual({ step: expect.any(Number) as number });
});

// `low` stood at 2 ** 53 for good, where 8 more are lost in rounding: the quota of an honest worker of small weight did not rise.
test('a lie is forgotten with the worker that told it', () => {
  for (const name of ['honest', 'other', 'liar']) quotas.add(name, 0.001);
  quotas.report('honest', { total: 5, open: 5, full: true });
  quotas.report('other', { total: 5, open: 5, full: true });
  quotas.report('liar', { total: Number.MAX_SAFE_INTEGER, open: 0 });
  pass(300);
  quotas.remove('liar');
  for (let total = 6; total < 100; total++) {
    for (const name of ['honest', 'other']) quotas.report(name, { total, open: 0 });
    pass(1500);
    const upTo = last('other')?.upTo ?? Infinity;
    // Its speed is in the bound until it has been measured once more.
    if (total > 8) expect([upTo > total, upTo <= total + 8], `${upTo} at ${total}`).toEqual([true, true]);
  }
});

test('numbers that are too large for a message: a worker gets no bound in their place, and each message can be read', () => {
  quotas.add('light', 0.5);
  quotas.add('heavy', 1e300);
  quotas.add('w3', 1);
  for (const total of [1, Number.MAX_SAFE_INTEGER, 2]) {
    for (const worker of ['light', 'heavy', 'w3']) quotas.report(worker, { total, open: worker === 'light' ? Number.MAX_SAFE_INTEGER : 1 });
    pass(200);
  }
  expect(sent.length).toBeGreaterThan(3);
  for (const [, terms] of sent) expect(readPrimaryMessage({ cmd: 'NODE_CLUSTER', act: 'quota', key: 'k', ...terms }), JSON.stringify(terms)).not.toBeNull();
});

// Its pipe, and then the primary's memory, filled with twenty messages a second for as long as it was stopped.
test('a worker that is stopped gets four quotas, and the next one when it has reported', () => {
  workers(4);
  for (const worker of ['w1', 'w2', 'w3', 'w4']) quotas.report(worker, { total: 1, open: 0 });
  pass(300);
  sent = [];
  for (let total = 100; total < 60_000; total += 100) {
    for (const worker of ['w1', 'w2', 'w3']) quotas.report(worker, { total, open: 0 });
    pass(20);
  }
  const toFourth = (): number => sent.filter(([to]) => to === 'w4').length;
  expect(toFourth()).toBeLessThanOrEqual(4);
  expect(sent.length).toBeGreaterThan(100);
  quotas.report('w4', { total: 2, open: 0 });
  pass(200);
  expect(toFourth()).toBeLessThanOrEqual(5);
  expect((last('w4')?.upTo ?? Infinity)).toBeGreaterThan(2);
});
