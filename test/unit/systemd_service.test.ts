/** What systemd is told at each step of one supervisor, and of several. */
import { beforeEach, expect, test, vi } from 'vitest';
import { timers } from '../../internal/builtins';
import { Service, type Supervised } from '../../internal/operate/systemd/service';
import type { Notice } from '../../internal/operate/systemd/notify';
import { showToObservers } from '../../internal/supervisor/observers';
import { expectedWarnings } from '../support/warnings';

beforeEach(() => {
  vi.useFakeTimers();
  const real = { ...timers };
  Object.assign(timers, { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, setInterval: globalThis.setInterval });
  return () => {
    Object.assign(timers, real);
    vi.useRealTimers();
  };
});

type Status = ReturnType<Supervised['status']>;
type Word = 'starting' | 'ready' | 'given up' | 'leaving' | 'backing off';

/** A supervisor whose status a test sets. */
class Fake implements Supervised {
  #status: Status;
  constructor(desired: number, states: readonly Word[]) {
    this.#status = this.#of(desired, states, 'idle');
  }
  #of(desired: number, states: readonly Word[], reload: Status['reload']): Status {
    const workers = states.map((is) => ({ role: is === 'leaving' ? 'leaving' : 'current', state: { is } })) as unknown as Status['workers'];
    return { desired, ready: states.filter((is) => is === 'ready').length, reload, generation: 1, workers };
  }
  set(desired: number, states: readonly Word[], reload: Status['reload'] = 'idle'): void {
    this.#status = this.#of(desired, states, reload);
    showToObservers(this, ['stopped']);
  }
  status(): Status {
    return this.#status;
  }
}

function world(env: NodeJS.ProcessEnv = {}) {
  const told: Notice[] = [];
  const service = new Service((notice) => told.push(notice), env);
  return { service, take: () => told.splice(0) };
}

test('a primary that is replaced names the new one, and says nothing of the workers that leave; if that one ends, it is the main process again', () => {
  const { service, take } = world();
  const fake = new Fake(1, ['ready']);
  service.add(fake);
  take();
  showToObservers(fake, ['upgrade', { state: 'started', pid: 4711, reason: '' }]);
  showToObservers(fake, ['upgrade', { state: 'leaving', pid: 4711, reason: '' }]);
  fake.set(0, ['leaving']);
  fake.set(0, []);
  expect(take()).toEqual([{ mainPid: 4711 }]);
  fake.set(1, ['starting']); // Workers are wanted again before the event says why.
  showToObservers(fake, ['upgrade', { state: 'failed', pid: 4711, reason: 'it exited with 1' }]);
  expect(take()).toEqual([{ mainPid: process.pid }]);
});

test('ready, reloading, ready, stopping; a death in between is a status, at most one a second', () => {
  const { service, take } = world();
  const fake = new Fake(2, ['starting', 'starting']);
  service.add(fake);
  fake.set(2, ['ready', 'starting']);
  expect(take()).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(take()).toEqual([{ status: '1 of 2 workers ready, release 1' }]);
  fake.set(2, ['ready', 'ready']);
  expect(take()).toEqual([{ ready: true, status: '2 of 2 workers ready, release 1' }]);
  for (let count = 0; count < 50; count++) {
    fake.set(2, ['ready', 'starting']);
    fake.set(2, ['ready', 'ready']);
  }
  fake.set(2, ['ready', 'starting']);
  vi.advanceTimersByTime(1_000);
  expect(take()).toEqual([{ status: '1 of 2 workers ready, release 1' }]);
  fake.set(2, ['ready', 'ready'], 'canary');
  fake.set(2, ['ready', 'ready'], 'rolling');
  fake.set(2, ['ready', 'starting'], 'idle');
  expect(take().map(({ status: _status, ...rest }) => rest)).toEqual([{ reloading: true }, { ready: true }]);
  fake.set(0, ['leaving', 'leaving']);
  fake.set(0, []);
  expect(take()).toEqual([{ stopping: true, status: 'stopping' }]);
  fake.set(1, ['starting']);
  fake.set(1, ['ready']);
  expect(take().filter(({ ready }) => ready)).toHaveLength(1);
});

test('a place that was given up does not keep the service from being ready, if another one serves', () => {
  const { service, take } = world();
  const fake = new Fake(2, ['starting', 'starting']);
  service.add(fake);
  fake.set(2, ['backing off', 'ready']);
  fake.set(2, ['given up', 'starting']);
  expect(take()).toEqual([]);
  fake.set(2, ['given up', 'ready']);
  expect(take()).toEqual([{ ready: true, status: '1 of 2 workers ready, release 1' }]);
});

test('two supervisors are one service: ready when both are, stopping when both are', () => {
  const { service, take } = world();
  const [one, other] = [new Fake(1, ['starting']), new Fake(1, ['starting'])];
  service.add(one);
  service.add(other);
  one.set(1, ['ready']);
  expect(take()).toEqual([]);
  other.set(1, ['ready']);
  expect(take()).toEqual([{ ready: true, status: '1 of 1 workers ready, release 1; 1 of 1 workers ready, release 1' }]);
  one.set(0, []);
  expect(take().some(({ stopping }) => stopping)).toBe(false);
  other.set(0, ['leaving']);
  expect(take()).toEqual([{ stopping: true, status: 'stopping; stopping' }]);
});

test('the watchdog hears of it twice in its time, from READY on, while a worker serves', () => {
  const { service, take } = world({ WATCHDOG_USEC: '2000000', WATCHDOG_PID: String(process.pid) });
  const fake = new Fake(1, ['starting']);
  service.add(fake);
  vi.advanceTimersByTime(5_000);
  expect(take().filter(({ watchdog }) => watchdog)).toEqual([]);
  fake.set(1, ['ready']);
  take();
  vi.advanceTimersByTime(4_000);
  expect(take()).toEqual(Array(4).fill({ watchdog: true }));
  fake.set(1, ['backing off']);
  vi.advanceTimersByTime(500);
  take();
  vi.advanceTimersByTime(10_000);
  expect(take().filter(({ watchdog }) => watchdog)).toEqual([]);
  fake.set(0, ['leaving']);
  take();
  vi.advanceTimersByTime(1_000);
  expect(take()).toEqual([{ watchdog: true }]);
});

test.each([[{ WATCHDOG_USEC: '2000000', WATCHDOG_PID: '1' }], [{}], [{ WATCHDOG_USEC: '' }]])('no watchdog: %j', (env) => {
  const { service, take } = world(env);
  service.add(new Fake(1, ['ready']));
  take();
  vi.advanceTimersByTime(60_000);
  expect(take()).toEqual([]);
});

test.each(['soon', '0', '-5', '1e9'])('a time that is none is a warning: WATCHDOG_USEC=%s', async (usec) => {
  const warnings = expectedWarnings('SystemdWarning');
  world({ WATCHDOG_USEC: usec });
  await new Promise((resolve) => process.nextTick(resolve));
  expect(warnings).toEqual([`WATCHDOG_USEC is '${usec}' and not a number of microseconds: systemd is sent no sign of life`]);
});
