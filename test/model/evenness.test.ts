/**
 * How even workers are that accept from one socket within quotas (D63), and how long connections wait, second by second:
 * the real AcceptQuotas and AcceptPause over a kernel that always gives a connection to the first worker, in a fixed order,
 * that listens and is idle. No real kernel is that uneven. Time is simulated, and the random numbers have a seed.
 */
import { expect, test } from 'vitest';
import { jain } from '../../bench/statistics';
import { AcceptPause } from '../../internal/child/accept_pause';
import { AcceptQuotas, type QuotaTerms } from '../../internal/master/accept_quotas';
import type { NativeHandle } from '../../internal/native/bindings';
import { random } from '../random/sequences';
import { FakeListener, FakeLoop } from '../support/accepting';

/** Milliseconds of a step. In it each worker that is idle has a turn of its event loop, and accepts one connection at most. */
const STEP = 0.1;
/** Milliseconds that a message is under way. */
const TRANSIT = 0.5;

interface Setting {
  readonly workers: number;
  /** Connections per second, at random moments. */
  readonly rate: number;
  /** Milliseconds of work for a connection, on average. */
  readonly work: number;
  readonly seconds: number;
  /** Worker 1 stands still for two seconds, after so many milliseconds. */
  readonly blockAt?: number;
}

interface Second {
  readonly served: readonly number[];
  /** Milliseconds, ascending. */
  readonly waits: readonly number[];
  readonly messages: number;
}

class Worker {
  readonly server: { _connections: number; maxConnections?: number } = { _connections: 0 };
  readonly handle = new FakeListener(9);
  readonly loop: FakeLoop;
  readonly pause: AcceptPause;
  readonly inbox: QuotaTerms[] = [];
  busyUntil = 0;
  served = 0;

  constructor(name: string, now: () => number, report: (progress: { total: number; open: number; full?: true; found?: true }) => void) {
    this.loop = new FakeLoop(now);
    this.pause = new AcceptPause(name, this.handle, this.server, report as ConstructorParameters<typeof AcceptPause>[3], this.loop);
    this.pause.begin();
  }
}

function simulate({ workers: count, rate, work, seconds, blockAt = Infinity }: Setting): Second[] {
  const next = random(7);
  let now = 1_000_000;
  const begin = now;
  let timer: { readonly due: number; readonly callback: () => void } | undefined;
  const transit: { readonly due: number; readonly arrive: () => void }[] = [];
  let messages = 0;
  const send = (arrive: () => void): void => {
    messages++;
    transit.push({ due: now + TRANSIT, arrive });
  };
  const quotas = new AcceptQuotas<Worker>((worker, terms) => send(() => worker.inbox.push(terms)), {
    now: () => now,
    after: (ms, callback) => {
      timer = { due: now + ms, callback };
      return () => { timer = undefined; };
    },
  });
  const workers = Array.from({ length: count }, (_, at) => {
    const worker: Worker = new Worker(`W${at + 1}`, () => now, (progress) => send(() => quotas.report(worker, progress as Parameters<typeof quotas.report>[1])));
    quotas.add(worker, 1);
    return worker;
  });
  const queue: number[] = [];
  const all: Second[] = [];
  let waits: number[] = [];
  let before = workers.map(() => 0);
  for (let step = 1; step <= (seconds * 1000) / STEP; step++) {
    now = begin + step * STEP;
    if (Math.abs(now - begin - blockAt) < STEP / 2) (workers[0] as Worker).busyUntil = now + 2000;
    if (next() < (rate * STEP) / 1000) queue.push(now);
    while ((transit[0]?.due ?? Infinity) <= now) transit.shift()?.arrive();
    if (timer !== undefined && timer.due <= now) {
      const { callback } = timer;
      timer = undefined;
      callback();
    }
    for (const worker of workers) {
      if (worker.busyUntil > now) continue;
      worker.loop.runTimers();
      for (const terms of worker.inbox.splice(0)) worker.pause.quota(terms);
      if (worker.handle.accepting && queue.length > 0) {
        waits.push(now - (queue.shift() as number));
        worker.served++;
        worker.busyUntil = now + work * (0.5 + next());
        worker.handle.onconnection?.(0, {} as NativeHandle);
      }
      worker.loop.runImmediates();
    }
    if (step % (1000 / STEP) === 0) {
      all.push({ served: workers.map(({ served }, at) => served - (before[at] as number)), waits: waits.sort((one, other) => one - other), messages });
      before = workers.map(({ served }) => served);
      waits = [];
      messages = 0;
    }
  }
  return all;
}

const shown = (seconds: readonly Second[]): string => seconds.map(({ served, messages }) => `${served.join(' ')}: ${jain(served).toFixed(3)}, ${messages} messages`).join('\n');
const slowest = ({ waits }: Second): number => waits.at(-1) ?? 0;

test.each([
  [2, 700, 0.5], [4, 300, 0.3], [4, 3000, 0.5], [8, 600, 0.3], [8, 5000, 0.5], [8, 9000, 0.7],
])('%i workers, %i connections/s: after the first second each second is even, no connection waits for 25 ms, no message depends on their number', (workers, rate, work) => {
  const [, ...seconds] = simulate({ workers, rate, work, seconds: 8 });
  const seen = shown(seconds);
  for (const second of seconds) {
    expect(jain(second.served), seen).toBeGreaterThan(0.93);
    expect(slowest(second), seen).toBeLessThan(25);
    expect(second.messages, seen).toBeLessThanOrEqual(10 * workers);
  }
  expect(seconds.reduce((sum, { served }) => sum + jain(served), 0) / seconds.length, seen).toBeGreaterThan(0.95);
});

test('one of four workers stands still for two seconds at half load: no connection waits for 50 ms, and it gets no more than the others afterwards', () => {
  const seconds = simulate({ workers: 4, rate: 3000, work: 0.5, seconds: 8, blockAt: 2500 });
  for (const second of seconds) expect(slowest(second)).toBeLessThan(50);
  expect(seconds[3]?.served[0], shown(seconds)).toBe(0);
  const [, , , , , , ...after] = seconds;
  for (const { served } of after) expect(jain(served), shown(seconds)).toBeGreaterThan(0.9);
});

test('all connections are served that come, whatever the quotas', () => {
  const seconds = simulate({ workers: 8, rate: 5000, work: 0.5, seconds: 3 });
  expect(seconds.reduce((sum, { served }) => sum + served.reduce((all, one) => all + one, 0), 0)).toBeGreaterThan(14_000);
});
