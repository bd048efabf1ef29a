/** A worker's counts of its open connections, for the primary: they go on as long as there are any, whatever happens to these. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { timers } from '../../internal/builtins';
import { Listening, type OfWorker } from '../../internal/child/listening';
import { OpenCounts, type Counts } from '../../internal/child/open_counts';
import type { NativeHandle } from '../../internal/native/bindings';
import { FakeListener } from '../support/accepting';

/** The intervals that are set. */
const intervals = new Set<() => void>();
beforeEach(() => {
  intervals.clear();
  vi.spyOn(timers, 'setInterval').mockImplementation(((call: () => void) => {
    const timer = { call, unref: () => timer };
    intervals.add(call);
    return timer;
  }) as never);
  vi.spyOn(timers, 'clearInterval').mockImplementation(((timer?: { call: () => void }) => void (timer !== undefined && intervals.delete(timer.call))) as never);
});
afterEach(() => { vi.restoreAllMocks(); });

const tick = (): void => { for (const call of [...intervals]) call(); };

function subject() {
  const here = { server: { _connections: 0 }, offered: 0, reports: [] as Counts[] };
  return { here, counts: new OpenCounts((open) => void here.reports.push(open), () => here.offered) };
}

// The primary believed that the worker had none, until the next connection was handed to it.
test('all connections are on their way to the primary when they are counted, and come back: the primary hears of both', () => {
  const { here, counts } = subject();
  counts.watch('k', here.server, true);
  counts.forAnswer('k');
  here.server._connections = 1;
  here.offered = 1;
  tick();
  here.offered = 0;
  tick();
  here.server._connections = 0;
  tick();
  expect([here.reports, intervals.size]).toEqual([[{ k: 0 }, { k: 1 }, { k: 0 }], 0]);
});

test('a server that listens again while it has connections is counted from then on', () => {
  const { here, counts } = subject();
  here.server._connections = 3;
  counts.watch('k', here.server, 'seldom');
  tick();
  expect(here.reports).toEqual([{ k: 3 }]);
});

// Nothing was counted under `scheduling: 'shared'`, where no connection is acknowledged: `rebalance` moved none.
test('a server that accepts by itself: its connections are counted, too', () => {
  const { here, counts } = subject();
  const handle = new FakeListener(9);
  const server = Object.assign(here.server, { once: () => server, on: () => server });
  const calls = {
    call: (_body: object, resolve: (reply: object, handle: unknown) => void) => resolve({ ack: 1, seq: 1, errno: null, key: 'k', quotas: true, counts: 'seldom' }, handle),
    notify: () => 0,
  };
  const deliveries = { listen: () => undefined, close: () => true, hold: () => () => undefined };
  const listening = new Listening({ name: 'W1', calls, deliveries, counts, returns: { listen: () => undefined }, listens: () => undefined } as unknown as OfWorker);
  listening.getServer(server as never, { address: null, port: 0, addressType: 4, fd: null } as never, () => {
    handle.onconnection = () => { server._connections++; };
  });
  handle.onconnection?.(0, { fd: 20 } as NativeHandle);
  tick();
  tick();
  expect(here.reports).toEqual([{ k: 1 }]);
  handle.close();
  expect(intervals.size).toBe(0);
});
