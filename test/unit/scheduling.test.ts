/** Which worker gets the next connection. */
import { availableParallelism } from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { performance } from '../../internal/builtins';
import { FILL, MOST, START, Rotation, isScheduling, type Candidate, type Client, type Scheduling, type Seat } from '../../internal/master/scheduling';
import { seeded } from '../support/children';
import { FakeConnection } from '../support/cluster_fakes';

/** As in scheduling.ts. */
const CROWD = Math.max(4, 2 * availableParallelism());
const AWAKE = Math.max(1, availableParallelism() - 1);

/** What the rules take for the time. */
let now = 1000;
beforeEach(() => { vi.spyOn(performance, 'now').mockImplementation(() => now); });
afterEach(() => { vi.restoreAllMocks(); });

/** The rules that look at it have tests of their own. */
const connection = new FakeConnection(1);

function seated(windows: Record<string, number>): Rotation<string> {
  const rotation = new Rotation<string>();
  for (const [at, [worker, window]] of Object.entries(windows).entries()) rotation.add(worker, at + 1, window);
  return answering(rotation, Object.keys(windows).length);
}

/** Each has had its turn and has answered just now. */
function answering<Worker>(rotation: Rotation<Worker>, count: number): Rotation<Worker> {
  const seats = Array.from({ length: count }, () => rotation.next(connection) as Seat<Worker>);
  for (const seat of seats) rotation.settled(seat, true);
  return rotation;
}

const picked = (rotation: Rotation<string>): string | null => rotation.next(connection)?.worker ?? null;

test('a retired worker is not picked, and keeps its seat', () => {
  const rotation = seated({ a: 2, b: 2 });
  (rotation.next(connection) as Seat<string>).retired = true;
  expect([picked(rotation), picked(rotation), picked(rotation), rotation.has('a')]).toEqual(['b', 'b', null, true]);
});

describe('R-5: serial connections', () => {
  test('go round in the order in which the workers listened', () => {
    const rotation = seated({ a: 16, b: 1, c: 16 });
    const picks = Array.from({ length: 9 }, () => {
      const seat = rotation.next(connection) as Seat<string>;
      seat.inFlight--;
      return seat.worker;
    });
    expect(picks.join('')).toBe('abcabcabc');
  });

  test('a worker that comes later is last in the round; one that leaves is skipped', () => {
    const rotation = seated({ a: 1, b: 1 });
    const pick = (): string => {
      const seat = rotation.next(connection) as Seat<string>;
      seat.inFlight--;
      return seat.worker;
    };
    expect(pick()).toBe('a');
    rotation.add('c', 3, 1);
    expect([pick(), pick(), pick()].join('')).toBe('bac');
    rotation.remove('a');
    expect([pick(), pick(), pick()].join('')).toBe('bcb');
  });
});

describe('connections at once', () => {
  test('fill all workers evenly, then up to each window, then nobody', () => {
    const rotation = seated({ a: 3, b: 1, c: 2 });
    const seats = Array.from({ length: 8 }, () => rotation.next(connection));
    expect(seats.map((seat) => seat?.worker ?? null)).toEqual(['a', 'b', 'c', 'a', 'c', 'a', null, null]);
    (seats[1] as Seat<string>).inFlight--;
    expect([picked(rotation), picked(rotation)]).toEqual(['b', null]);
  });

  test('a worker that does not answer gets more only when all others have as much', () => {
    const rotation = seated({ stalled: 16, a: 16, b: 16 });
    expect(picked(rotation)).toBe('stalled');
    for (let times = 0; times < 20; times++) {
      const seat = rotation.next(connection) as Seat<string>;
      expect(seat.worker).not.toBe('stalled');
      seat.inFlight--;
    }
  });
});

test('a worker is in the rotation exactly between add and remove', () => {
  const rotation = seated({ a: 1 });
  expect([rotation.has('a'), rotation.has('b'), rotation.size]).toEqual([true, false, 1]);
  expect([rotation.remove('b'), rotation.remove('a'), rotation.remove('a'), rotation.size]).toEqual([false, true, false, 0]);
  expect(rotation.next(connection)).toBe(null);
});

test('a worker that comes back starts with nothing in flight', () => {
  const rotation = seated({ a: 1 });
  const before = rotation.next(connection) as Seat<string>;
  expect([before.worker, picked(rotation)]).toEqual(['a', null]);
  rotation.remove('a');
  rotation.add('a', 1, 1);
  before.inFlight--; // what was in flight before ends now: it was the other seat's
  expect([picked(rotation), picked(rotation)]).toEqual(['a', null]);
});

test.each([1, 2, 3, 4, 5])('property, seed %i: nobody exceeds its window (FILL in a crowd), the least loaded is picked, the longest waiting among equals', (seed) => {
  const random = seeded(seed);
  const rotation = new Rotation<number>();
  /** The model: seated workers, longest waiting first. */
  let model: { worker: number; window: number; inFlight: number; answered: boolean }[] = [];
  const seats = new Map<number, Seat<number>>();
  let last = 0;
  for (let step = 0; step < 4000; step++) {
    const dice = random(10);
    if (dice === 0 && model.length < 8) {
      const window = random(4) === 0 ? 1 : 1 + random(16);
      rotation.add(++last, last, window);
      model.push({ worker: last, window, inFlight: 0, answered: false });
    } else if (dice === 1 && model.length > 0 && random(3) === 0) {
      const { worker } = model[random(model.length)]!;
      expect(rotation.remove(worker)).toBe(true);
      model = model.filter((seat) => seat.worker !== worker);
    } else if (dice < 5) {
      const busy = model.filter(({ inFlight }) => inFlight > 0);
      const seat = busy[random(Math.max(busy.length, 1))];
      if (seat) {
        rotation.settled(seats.get(seat.worker) as Seat<number>, true);
        seat.inFlight--;
        seat.answered = true;
      }
    } else {
      const room = model.filter(({ inFlight, window, answered }) => inFlight < (answered ? window : Math.min(START, window)));
      // In a crowd those that are awake are filled before another is woken, beyond their window. No time passes here.
      const awake = model.filter(({ inFlight, window }) => inFlight > 0 && window > 1 && inFlight < FILL);
      const free = awake.length >= AWAKE && model.length > CROWD ? awake : room;
      const fewest = Math.min(...free.map(({ inFlight }) => inFlight));
      const expected = free.find(({ inFlight }) => inFlight === fewest);
      const seat = rotation.next(connection);
      if (seat) seats.set(seat.worker, seat);
      expect([step, seat?.worker ?? null]).toEqual([step, expected?.worker ?? null]);
      if (expected) {
        expected.inFlight++;
        model = [...model.filter((seat) => seat !== expected), expected];
      }
    }
    expect(rotation.size).toBe(model.length);
  }
});

describe('the window', () => {
  test('is open as long as the worker answers; one that is silent for 10 ms gets no second connection', () => {
    const rotation = seated({ a: 16 });
    const first = rotation.next(connection) as Seat<string>;
    now += 9;
    expect(picked(rotation)).toBe('a');
    now += 9;
    expect(picked(rotation)).toBe(null);
    rotation.settled(first, true);
    expect([picked(rotation), picked(rotation)]).toEqual(['a', 'a']);
  });

  test('one that is silent while others answer comes after those', () => {
    const rotation = seated({ silent: 16, a: 16, b: 16 });
    const [, a] = Array.from({ length: 3 }, () => rotation.next(connection)) as Seat<string>[];
    now += 1;
    rotation.settled(a as Seat<string>, true);
    const picks = Array.from({ length: 9 }, () => picked(rotation));
    expect(picks, 'it has answered').toEqual(Array(9).fill('a'));
    expect([picked(rotation), picked(rotation)], 'it has as much as the silent ones seem to have').toEqual(['silent', 'b']);
  });

  test('where nobody has answered all are silent alike: each gets its second in turn', () => {
    const rotation = seated({ silent: 16, a: 16, b: 16 });
    expect(Array.from({ length: 3 }, () => picked(rotation))).toEqual(['silent', 'a', 'b']);
    now += 1;
    expect(Array.from({ length: 4 }, () => picked(rotation))).toEqual(['silent', 'a', 'b', null]);
  });

  test('batches follow answers: who has not answered just now has two at the most', () => {
    const rotation = new Rotation<string>();
    for (const [at, worker] of ['a', 'b'].entries()) rotation.add(worker, at + 1, 16);
    const seats = Array.from({ length: 5 }, () => rotation.next(connection));
    expect(seats.map((seat) => seat?.worker ?? null)).toEqual(['a', 'b', 'a', 'b', null]);
    rotation.settled(seats[0] as Seat<string>, true);
    expect(Array.from({ length: 16 }, () => picked(rotation)), 'the rest of its window').toEqual([...Array(15).fill('a'), null]);
    rotation.settled(seats[2] as Seat<string>, true);
    now += 0.1;
    expect(picked(rotation), 'it has 15, and that was a while ago').toBe(null);
  });

  test('a connection that came back unanswered is no sign of life', () => {
    const rotation = seated({ a: 16 });
    const [first] = [rotation.next(connection) as Seat<string>, rotation.next(connection)];
    now += 50;
    rotation.settled(first, false);
    expect(picked(rotation)).toBe(null);
  });

  test('a stalled worker keeps one, and the others serve the rest', () => {
    const rotation = seated({ stalled: 16, a: 16, b: 16 });
    rotation.next(connection);
    for (let times = 0; times < 100; times++) {
      now += 1;
      const seats = [rotation.next(connection), rotation.next(connection)] as Seat<string>[];
      expect(seats.map(({ worker }) => worker)).not.toContain('stalled');
      for (const seat of seats) rotation.settled(seat, true);
    }
  });
});

describe('waking', () => {
  const crowd = (count: number): Rotation<number> => ruled('round-robin', count);

  test('in a crowd what arrives at once fills those that were woken, then wakes the next', () => {
    const rotation = crowd(CROWD + 1);
    const picks = Array.from({ length: FILL * AWAKE + 1 }, () => rotation.next(connection)?.worker as number);
    expect(new Set(picks.slice(0, FILL * AWAKE)).size).toBe(AWAKE);
    expect(picks.at(-1)).toBe(AWAKE + 1);
  });

  test('one that has not answered for a millisecond is not awake: the next one is woken', () => {
    const rotation = crowd(CROWD + 1);
    const silent = Array.from({ length: AWAKE + 1 }, () => rotation.next(connection) as Seat<number>);
    expect(silent.map(({ worker }) => worker), 'the first one got two').toEqual([...silent.keys()].map((at) => (at % AWAKE) + 1));
    now += 1;
    expect(picked(rotation as unknown as Rotation<string>)).toBe(AWAKE + 1);
    rotation.settled(silent[0] as Seat<number>, true);
    const next = AWAKE > 2 ? AWAKE + 2 : 1;
    expect(rotation.next(connection)?.worker, 'it has one left, and has answered just now').toBe(next);
  });

  test('where there is no crowd everybody is woken first', () => {
    const rotation = crowd(CROWD);
    expect(Array.from({ length: CROWD }, () => rotation.next(connection)?.worker)).toEqual(Array.from({ length: CROWD }, (_, at) => at + 1));
  });

  test('serial connections go round in a crowd, too', () => {
    const rotation = crowd(CROWD + 1);
    const picks = Array.from({ length: 2 * (CROWD + 1) }, () => {
      const seat = rotation.next(connection) as Seat<number>;
      rotation.settled(seat, true);
      return seat.worker;
    });
    expect(picks).toEqual(Array.from({ length: 2 * (CROWD + 1) }, (_, at) => (at % (CROWD + 1)) + 1));
  });
});

/** A rotation of workers 1 to `count` under a rule. */
function ruled(scheduling: Scheduling, count: number): Rotation<number> {
  const rotation = new Rotation<number>(scheduling);
  for (let id = 1; id <= count; id++) rotation.add(id, id, 16);
  return rotation;
}

const from = (remoteAddress: string): FakeConnection =>
  Object.assign(new FakeConnection(1), { getpeername: (out: Client) => (Object.assign(out, { address: remoteAddress, port: 1 }), 0) });

describe('D30: least-connections', () => {
  test('the fewest open and in flight, for the weight; the longest waiting among equals', () => {
    const rotation = new Rotation<string>('least-connections');
    rotation.add('a', 1, 16);
    rotation.add('b', 2, 16);
    rotation.add('heavy', 3, 16, 2);
    rotation.report('a', 3);
    rotation.report('b', 1);
    rotation.report('heavy', 3);
    // Loads: a 3, b 1, heavy 1.5; then b 2, heavy 1.5; then b 2, heavy 2.
    expect([picked(rotation), picked(rotation), picked(rotation), picked(rotation)]).toEqual(['b', 'heavy', 'b', 'heavy']);
  });

  test('one that is silent gets nothing more, however few it has', () => {
    const rotation = ruled('least-connections', 2);
    rotation.report(2, 50);
    expect(rotation.next(connection)?.worker).toBe(1);
    now += 20;
    expect(rotation.next(connection)?.worker).toBe(2);
  });
});

test('D30: random-two gives the fuller of two nothing, and everybody something', () => {
  const rotation = ruled('random-two', 4);
  rotation.report(4, 1000);
  const picks = new Set<number>();
  for (let times = 0; times < 400; times++) {
    const seat = rotation.next(connection) as Seat<number>;
    picks.add(seat.worker);
    rotation.settled(seat, true);
  }
  expect([...picks].sort()).toEqual([1, 2, 3]);
  expect(ruled('random-two', 1).next(connection)?.worker).toBe(1);
  expect(ruled('random-two', 0).next(connection)).toBe(null);
});

describe('a worker that is named by a rule', () => {
  test.each<[name: string, rule: Scheduling]>([['sticky', 'sticky'], ['a function', () => 1]])('%s: gets no more than MOST; then it is as if it were not there', (_name, rule) => {
    const rotation = new Rotation<string>(rule);
    for (const [at, worker] of ['a', 'b'].entries()) rotation.add(worker, at + 1, 16);
    const client = Object.assign(new FakeConnection(1), { getpeername: (out: object) => (Object.assign(out, { address: '10.0.0.1', port: 1 }), 0) });
    const first = rotation.next(client) as Seat<string>;
    for (let count = 1; count < MOST; count++) expect(rotation.next(client)).toBe(first);
    const other = rotation.next(client) as Seat<string>;
    expect([first.inFlight, other === first]).toEqual([MOST, false]);
    rotation.settled(first, true);
    expect(rotation.next(client)).toBe(first);
  });
});

describe('D30: sticky', () => {
  const clients = Array.from({ length: 1000 }, (_, at) => from(`127.0.${at >> 8}.${at & 255}`));
  const places = (rotation: Rotation<number>): number[] => clients.map((client) => {
    const seat = rotation.next(client) as Seat<number>;
    rotation.settled(seat, true);
    return seat.worker;
  });

  test('a client comes back; who leaves takes only its own along; who replaces it gets them', () => {
    const rotation = ruled('sticky', 8);
    const before = places(rotation);
    expect(places(rotation)).toEqual(before);
    for (let worker = 1; worker <= 8; worker++) expect(before.filter((one) => one === worker).length).toBeGreaterThan(75);
    rotation.remove(3);
    const between = places(rotation);
    expect(before.every((worker, at) => worker === 3 || between[at] === worker)).toBe(true);
    rotation.add(9, 9, 16);
    expect(places(rotation)).toEqual(before.map((worker) => (worker === 3 ? 9 : worker)));
  });

  test('a client waits for its worker, and for no other; without an address it is round robin', () => {
    const rotation = ruled('sticky', 2);
    const client = from('10.0.0.1');
    const [worker] = [rotation.next(client)?.worker];
    now += 1000;
    for (let times = 0; times < 40; times++) expect(rotation.next(client)?.worker).toBe(worker);
    const unknown = ruled('sticky', 2);
    expect([unknown.next(connection)?.worker, unknown.next(connection)?.worker]).toEqual([1, 2]);
  });
});

describe('D30: a function', () => {
  test('sees the client and the candidates, and names one in any of three ways', () => {
    const seen: [Client, readonly Candidate[]][] = [];
    const answers = [2, { id: 3 }, 1];
    const rotation = ruled((client, candidates) => {
      seen.push([client, candidates]);
      return answers.shift() as number;
    }, 3);
    rotation.report(2, 7);
    expect([1, 2, 3].map(() => rotation.next(from('10.0.0.9'))?.worker)).toEqual([2, 3, 1]);
    expect(seen[1]).toEqual([{ remoteAddress: '10.0.0.9', remotePort: 1 }, [
      { id: 1, inFlight: 0, open: 0, weight: 1 }, { id: 2, inFlight: 1, open: 7, weight: 1 }, { id: 3, inFlight: 0, open: 0, weight: 1 },
    ]]);
  });

  test.each([
    ['throws', () => { throw new Error('no'); }],
    ['names a worker that is not there', () => 99],
    ['names nobody', () => undefined as never],
  ])('that %s: round robin, and one warning', (_what, scheduler) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const rotation = ruled(scheduler, 3);
    expect(Array.from({ length: 6 }, () => rotation.next(connection)?.worker)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(warn).toHaveBeenCalledOnce();
  });
});

test('what setupPrimary takes', () => {
  expect(['round-robin', 'least-connections', 'random-two', 'sticky', () => 1].every(isScheduling)).toBe(true);
  expect(['', 'toString', 'constructor', 1, null, {}, undefined].some(isScheduling)).toBe(false);
});

test('a pick of 16 workers takes less than 1 µs under each built-in rule', () => {
  vi.restoreAllMocks();
  for (const scheduling of ['round-robin', 'least-connections', 'random-two', 'sticky'] as const) {
    const rotation = ruled(scheduling, 16);
    const client = from('127.0.0.1');
    const pick = (times: number): void => {
      for (let time = 0; time < times; time++) rotation.settled(rotation.next(client) as Seat<number>, true);
    };
    pick(20_000);
    const rounds = Array.from({ length: 20 }, () => {
      const start = process.hrtime.bigint();
      pick(1_000);
      return Number(process.hrtime.bigint() - start) / 1_000;
    });
    // The fastest round of twenty: the others share the processor.
    expect([scheduling, Math.min(...rounds) < 1_000]).toEqual([scheduling, true]);
  }
});
