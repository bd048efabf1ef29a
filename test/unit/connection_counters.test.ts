/**
 * The counters of connections (D57): what they count, that latency is measured only where somebody asked, and that no
 * connection is remembered that the primary has let go of. test/model checks them in every order of events (S8).
 */
import { EventEmitter } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { performance } from '../../internal/builtins';
import { ConnectionCounters } from '../../internal/master/connection_counters';
import { installPrimary, type PrimaryCluster } from '../../internal/master/index';
import type { NativeHandle } from '../../internal/native/bindings';
import { thrownBy } from '../support/children';

const connection = (): NativeHandle => ({ close: () => undefined, ref: () => undefined, unref: () => undefined }) as NativeHandle;

afterEach(() => void vi.restoreAllMocks());

test('each end of a hand-off is counted as itself, and a connection that is closed as closed', () => {
  const counters = new ConnectionCounters();
  for (const outcome of ['accepted', 'rejected', 'unsent', 'lost', 'untold', 'rejected'] as const) {
    const one = connection();
    counters.accepted(one);
    counters.handedOff();
    counters.ended(one, outcome);
    if (outcome === 'untold') counters.closed(one);
  }
  counters.handedOff();
  expect(counters.read(3)).toEqual({
    accepted: 6, handedOff: 7, acknowledged: 1, rejected: 2, unsent: 1, reclaimed: 1, untold: 1, closed: 1, returned: 0, moved: 0, queued: 3, inFlight: 1, latency: null,
  });
});

test('latency is the time from accept to the acknowledgement, also over a second hand-off, in cumulative buckets', () => {
  const counters = new ConnectionCounters();
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  const [early, quick, slow] = [connection(), connection(), connection()];
  counters.accepted(early);
  counters.measureLatency();
  counters.measureLatency();
  for (const one of [quick, slow]) counters.accepted(one);
  now.mockReturnValue(0.5);
  for (const one of [early, quick]) counters.ended(one, 'accepted');
  counters.ended(slow, 'lost');
  now.mockReturnValue(60_000);
  counters.ended(slow, 'accepted');
  const latency = counters.read(0).latency;
  expect(latency?.count, 'one that was accepted before has no time').toBe(2);
  expect(latency?.sum).toBeCloseTo(60.0005, 9);
  expect(latency?.buckets.map(({ count }) => count)).toEqual([0, 0, ...Array.from({ length: 14 }, () => 1), 2]);
  expect(latency?.buckets.at(2)).toEqual({ upTo: 0.0005, count: 1 });
  expect(latency?.buckets.at(-1)).toEqual({ upTo: Infinity, count: 2 });
});

test('what was acknowledged or closed is not remembered', () => {
  const counters = new ConnectionCounters();
  counters.measureLatency();
  const [taken, closed] = [connection(), connection()];
  for (const one of [taken, closed]) counters.accepted(one);
  counters.ended(taken, 'accepted');
  counters.closed(closed);
  // A handle that the kernel gives out again is another connection: nothing of the first one may be left.
  counters.ended(taken, 'accepted');
  counters.ended(closed, 'accepted');
  expect(counters.read(0).latency?.count).toBe(1);
});

test('cluster.counters: wrong options are an error, an inherited option is none, the result is a copy', () => {
  const cluster = new EventEmitter() as PrimaryCluster;
  installPrimary(cluster);
  expect(Object.keys(cluster)).not.toContain('counters');
  expect(thrownBy(() => cluster.counters(5 as never)).code).toBe('ERR_INVALID_ARG_TYPE');
  expect(thrownBy(() => cluster.counters({ latency: 1 as never })).code).toBe('ERR_INVALID_ARG_TYPE');
  expect(thrownBy(() => cluster.counters({ latencies: true } as never)).code).toBe('ERR_INVALID_ARG_VALUE');
  const before = cluster.counters({ latency: false });
  expect(before.latency).toBeNull();
  expect(cluster.counters({ latency: true }).latency).toMatchObject({ sum: 0, count: 0 });
  expect(cluster.counters().latency, 'measured from then on').not.toBeNull();
  expect(before.latency).toBeNull();
});
