/** Which worker gets the next connection. */
import { describe, expect, test } from 'vitest';
import { Rotation, type Seat } from '../../internal/master/scheduling';
import { seeded } from '../support/children';
import { FakeConnection } from '../support/cluster_fakes';

/** The rules that look at it have tests of their own. */
const connection = new FakeConnection(1);

function seated(windows: Record<string, number>): Rotation<string> {
  const rotation = new Rotation<string>();
  for (const [at, [worker, window]] of Object.entries(windows).entries()) rotation.add(worker, at + 1, window);
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
  rotation.add('a', 1);
  before.inFlight--; // what was in flight before ends now: it was the other seat's
  expect([picked(rotation), picked(rotation)]).toEqual(['a', null]);
});

test.each([1, 2, 3, 4, 5])('property, seed %i: nobody exceeds its window, the least loaded is picked, the longest waiting among equals', (seed) => {
  const random = seeded(seed);
  const rotation = new Rotation<number>();
  /** The model: seated workers, longest waiting first. */
  let model: { worker: number; window: number; inFlight: number }[] = [];
  const seats = new Map<number, Seat<number>>();
  let last = 0;
  for (let step = 0; step < 4000; step++) {
    const dice = random(10);
    if (dice === 0 && model.length < 8) {
      const window = random(4) === 0 ? 1 : 1 + random(16);
      rotation.add(++last, window);
      model.push({ worker: last, window, inFlight: 0 });
    } else if (dice === 1 && model.length > 0 && random(3) === 0) {
      const { worker } = model[random(model.length)]!;
      expect(rotation.remove(worker)).toBe(true);
      model = model.filter((seat) => seat.worker !== worker);
    } else if (dice < 5) {
      const busy = model.filter(({ inFlight }) => inFlight > 0);
      const seat = busy[random(Math.max(busy.length, 1))];
      if (seat) {
        (seats.get(seat.worker) as Seat<number>).inFlight--;
        seat.inFlight--;
      }
    } else {
      const free = model.filter(({ inFlight, window }) => inFlight < window);
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
