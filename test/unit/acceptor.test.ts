/** When a listening socket is read, and when not. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { timers } from '../../internal/builtins';
import { mostFds } from '../../internal/fds';
import { Acceptor, PAUSE_MS } from '../../internal/master/acceptor';
import type { NativeHandle } from '../../internal/native/bindings';
import { FakeListener } from '../support/accepting';
import { FakeConnection } from '../support/cluster_fakes';

const real = { ...timers };
beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(timers, { setTimeout, clearTimeout });
});
afterEach(() => {
  vi.useRealTimers();
  Object.assign(timers, real);
});

function acceptor({ queuedConnections = 4, reservedFds = 32 } = {}): { listener: FakeListener; subject: Acceptor; accepted: NativeHandle[]; accept(fd: number): void; fail(errno: number): void } {
  const listener = new FakeListener(9);
  const accepted: NativeHandle[] = [];
  const subject = new Acceptor('key', listener, { queuedConnections, reservedFds }, (connection) => accepted.push(connection));
  return {
    listener, subject, accepted,
    accept: (fd) => listener.onconnection?.(0, new FakeConnection(fd)),
    fail: (errno) => listener.onconnection?.(errno, undefined as never),
  };
}

test('D33: full at its limit, until half of that is left', () => {
  const { listener, subject } = acceptor();
  const seen = [1, 3, 4, 5, 3, 2, 3, 4, 0].map((count) => {
    subject.queued(count);
    return listener.accepting;
  });
  expect(seen).toEqual([true, true, false, false, false, true, true, false, true]);
  subject.close();
});

test('another limit counts at once', () => {
  const { listener, subject } = acceptor();
  subject.queued(3);
  subject.limit(2);
  expect(listener.accepting).toBe(false);
  subject.limit(10);
  expect(listener.accepting).toBe(true);
  subject.close();
});

test.each([['EMFILE', -24], ['ENFILE', -23]])('D34: an error of accept, %s: one rest, not one error in every turn', (_name, errno) => {
  const { listener, subject, accepted, fail } = acceptor();
  for (let times = 0; times < 5; times++) {
    fail(errno);
    fail(errno);
    expect(listener.accepting).toBe(false);
    vi.advanceTimersByTime(PAUSE_MS);
    expect(listener.accepting).toBe(true);
  }
  expect([listener.stops, accepted.length]).toEqual([5, 0]);
  subject.close();
});

test('D34: one of the last fds is used, and then a rest is taken until one is free', () => {
  const { listener, subject, accepted, accept } = acceptor();
  const highest = mostFds() - 32;
  accept(highest - 1);
  expect(listener.accepting).toBe(true);
  accept(highest);
  expect([listener.accepting, accepted.length]).toEqual([false, 2]);
  subject.queued(2);
  subject.freed(); // another connection waits with the fd of its own
  vi.advanceTimersByTime(3 * PAUSE_MS);
  expect(listener.accepting).toBe(false);
  subject.queued(0);
  subject.freed();
  expect(listener.accepting).toBe(true);
  vi.advanceTimersByTime(3 * PAUSE_MS);
  expect(listener.stops).toBe(1);
  subject.close();
});

test('closed in a rest: nothing is started again', () => {
  const { listener, subject, fail } = acceptor();
  fail(-24);
  subject.close();
  vi.advanceTimersByTime(3 * PAUSE_MS);
  subject.freed();
  expect([listener.accepting, listener.closes]).toEqual([false, 1]);
});

test('mostFds: what the kernel says', () => {
  expect(mostFds()).toBe(Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })));
});
