/** Each operation of the shared state, its limits, and how calls end: a server and clients in one process, and a clock that the test moves. */
import { describe, expect, test } from 'vitest';
import { readServerMessage } from '../../internal/shared_state/guards';
import type { Watch, WatchEvent } from '../../internal/shared_state/client/watch';
import { SharedState } from '../../internal/shared_state/client/api';
import { StateClient } from '../../internal/shared_state/client/client';
import { Deadlines } from '../../internal/shared_state/server/deadlines';
import { seeded } from '../support/children';
import { VirtualClock, World, turns } from './world';

async function take(watch: Watch, count: number): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  while (events.length < count) {
    const { value } = await watch.next();
    if (value === undefined) break;
    events.push(value);
  }
  return events;
}
const keys = (events: WatchEvent[]): unknown[] => events.map((event) => (event.type === 'reset' ? event.entries.map(({ key }) => key) : event.key));
const code = (code: string, more: object = {}): object => expect.objectContaining({ code: `ERR_SHARED_STATE_${code}`, ...more });

describe('operations', () => {
  test('get, set, delete: a value is read as it was written; versions grow and never come twice', async () => {
    const { state } = new World().join();
    expect(await state.get('a')).toBe(undefined);
    const value = { deep: [1, null, { 'ä': '☃' }], none: undefined };
    expect(await state.set('a', value)).toBe(1);
    expect(await state.get('a')).toEqual({ value, version: 1, ttlMs: undefined });
    expect(await state.set('a', null)).toBe(2);
    expect(await state.delete('a', { version: 1 })).toBe(false);
    expect(await state.delete('a', { version: 2 })).toBe(true);
    expect(await state.delete('a')).toBe(false);
    expect(await state.set('a', 1), 'version 3 is the deletion').toBe(4);
    expect(await state.set('__proto__', { x: 1 })).toBe(5);
    expect((await state.get('__proto__'))?.value).toEqual({ x: 1 });
  });

  test('increment: a key that does not exist counts as 0; a value that is no number, and a sum beyond the safe integers, are refused', async () => {
    const { state } = new World().join();
    expect(await state.increment('n')).toEqual({ value: 1, version: 1 });
    expect(await state.increment('n', 0.5)).toEqual({ value: 1.5, version: 2 });
    await state.set('s', 'text');
    await expect(state.increment('s')).rejects.toThrow(code('NOT_A_NUMBER'));
    await state.set('big', Number.MAX_SAFE_INTEGER);
    await expect(state.increment('big')).rejects.toThrow(code('NOT_A_NUMBER'));
    expect((await state.get('big'))?.value).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('compareAndSet: of two calls that expect the same version one wins, and the other gets the present value', async () => {
    const world = new World();
    const [one, other] = [world.join().state, world.join().state];
    const results = await Promise.all([one.compareAndSet('k', 0, 'one'), other.compareAndSet('k', 0, 'other')]);
    expect(results).toEqual([{ done: true, version: 1 }, { done: false, version: 1, current: { value: 'one', version: 1, ttlMs: undefined } }]);
    expect(await other.compareAndSet('k', 1, 'other')).toEqual({ done: true, version: 2 });
    expect(await other.compareAndSet('gone', 2, 1)).toEqual({ done: false, version: 0, current: undefined });
  });

  test('the answer to a write has the version and not the value; a watch of the writer gets one event', async () => {
    const { state, answered } = new World().join();
    const watch = state.watch('');
    await take(watch, 1);
    const big = 'x'.repeat(60_000);
    const before = answered();
    await state.set('a', big);
    await state.set('a', big, { ttlMs: 1000 });
    expect(await state.compareAndSet('b', 0, big)).toMatchObject({ done: true });
    expect(answered() - before).toBeLessThan(500);
    await state.set('c', 'end');
    expect(keys(await take(watch, 4))).toEqual(['a', 'a', 'b', 'c']);
    expect(await state.compareAndSet('b', 1, 'x'), 'the present value').toMatchObject({ done: false, current: { value: big } });
  });

  test('time to live: a key is removed at its end, not before; a later write without one removes the end, an increment keeps it', async () => {
    const world = new World();
    const { state } = world.join();
    await state.set('a', 1, { ttlMs: 100 });
    await state.set('b', 1, { ttlMs: 100 });
    await state.increment('c', 1, { ttlMs: 100 });
    await state.set('b', 2);
    await world.clock.advance(60);
    expect((await state.increment('c', 1, { ttlMs: 100 })).value).toBe(2);
    expect((await state.get('c'))?.ttlMs).toBe(40);
    await world.clock.advance(39);
    expect((await state.get('a'))?.value).toBe(1);
    await world.clock.advance(1);
    expect([await state.get('a'), (await state.get('b'))?.value, await state.get('c')]).toEqual([undefined, 2, undefined]);
  });
});

test('deadlines: always the earliest, one per key, and at most twice as many entries in the heap, plus 64', () => {
  const below = seeded(7);
  const deadlines = new Deadlines<number>();
  const model = new Map<number, number>();
  for (let step = 0, now = 0; step < 20_000; step++) {
    const key = below(50);
    if (below(4) === 0) {
      deadlines.delete(key);
      model.delete(key);
    } else {
      const at = now + below(100);
      deadlines.set(key, at);
      model.set(key, at);
    }
    expect(deadlines.next()).toBe(Math.min(Infinity, ...model.values()));
    expect(deadlines.heapSize).toBeLessThanOrEqual(2 * deadlines.size + 64);
    if (below(10) === 0) {
      now += below(30);
      const due = [...model].filter(([, at]) => at <= now);
      expect(deadlines.due(now).sort()).toEqual(due.map(([one]) => one).sort());
      for (const [one] of due) model.delete(one);
    }
  }
});

test('a primary that does not open the shared state: a call times out, with an error that names the reason, and was not done', async () => {
  const clock = new VirtualClock();
  const client = new StateClient(clock, () => undefined, { hold: false, timeoutMs: 5000 });
  client.hello();
  const state = new SharedState(client, () => client.close());
  const call = expect(state.set('k', 1)).rejects.toThrow(code('TIMEOUT', { maybeDone: false, message: expect.stringContaining('has to call sharedState()') }));
  await clock.advance(5000);
  await call;
});

describe('wrong input', () => {
  test.each([
    ['undefined', undefined], ['a function', () => 1], ['a symbol', Symbol('x')], ['a bigint', 1n], ['NaN', NaN],
    ['a Map', new Map()], ['a Date', new Date(0)], ['a Buffer', Buffer.from('x')], ['a hole', [undefined]],
    ['something deep', { a: [{ b: new Set() }] }], ['a circle', (() => { const a: unknown[] = []; a.push(a); return a; })()],
  ])('a value that is, or has, %s', async (_name, value) => {
    const { state } = new World().join();
    await expect(state.set('k', value)).rejects.toThrow(code('VALUE'));
    await expect(state.compareAndSet('k', 0, value)).rejects.toThrow(code('VALUE'));
  });

  test('keys, numbers, options and signals of a wrong type are refused', async () => {
    const { state } = new World().join();
    const wrongType = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    for (const key of [1, null, undefined, {}, Symbol('x')]) {
      await expect(state.get(key as string)).rejects.toThrow(wrongType);
      await expect(state.lock(key as string)).rejects.toThrow(wrongType);
      expect(() => state.watch(key as string)).toThrow(wrongType);
    }
    await expect(state.increment('k', '1' as never)).rejects.toThrow(wrongType);
    await expect(state.set('k', 1, null as never)).rejects.toThrow(wrongType);
    await expect(state.set('k', 1, { signal: {} as never })).rejects.toThrow(wrongType);
    await expect(state.set('k', 1, { lease: {} as never })).rejects.toThrow(wrongType);
    const outOfRange = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' });
    await expect(state.increment('k', NaN)).rejects.toThrow(outOfRange);
    for (const ttlMs of [0, -1, NaN, Infinity]) await expect(state.set('k', 1, { ttlMs })).rejects.toThrow(outOfRange);
    await expect(state.compareAndSet('k', -1, 1)).rejects.toThrow(outOfRange);
  });

  test('the server ignores or refuses whatever a worker sends, and goes on', async () => {
    const world = new World();
    const { session, state } = world.join();
    await turns();
    const said: unknown[] = [];
    const hostile = world.server.connect(9, (message) => said.push(message));
    world.server.receive(hostile, { act: 'hello' });
    const calls = [
      null, 1, {}, { id: -1, op: 'get' }, { id: 1 }, { id: 2, op: 'hasOwnProperty' }, { id: 3, op: 'set', key: 'k', text: '{' },
      { id: 4, op: 'set', key: 'k', text: '1', ttlMs: -1 }, { id: 5, op: 'release', name: 'constructor', token: 1 },
      { id: 6, op: 'increment', key: 'k', by: null }, { id: 7, op: 'watch', watch: 1, prefix: 3 }, { id: 8, op: 'set', key: 'k', text: 'x'.repeat(1e6) },
      { id: 9, op: 'renew', name: 'k', token: 3, ttlMs: 1 }, { id: 10, op: 'set', key: 'k', text: '1', fence: { name: '__proto__', token: 1 } },
    ];
    world.server.receive(hostile, { act: 'calls', calls });
    world.server.receive(hostile, { act: 'consumed', watch: 77, batch: 1 });
    world.server.receive(hostile, { act: 'cancel', id: 77 });
    const [, { answers }] = said as [unknown, { answers: { id: number; error?: { code: string }; result?: object }[] }];
    expect(answers.map(({ id, error, result }) => [id, error?.code.replace('ERR_SHARED_STATE_', '') ?? result])).toEqual([
      [1, 'PROTOCOL'], [2, 'PROTOCOL'], [3, 'VALUE'], [4, 'PROTOCOL'], [5, { done: false }], [6, 'PROTOCOL'], [7, 'PROTOCOL'], [8, 'VALUE'],
      [9, 'LEASE_LOST'], [10, 'LEASE_LOST'],
    ]);
    expect(await state.set('k', 1)).toBe(1);
    expect(session.known).toBe(true);
  });
});

describe('limits', () => {
  test('keys, key bytes, value bytes and total bytes; a write that is refused has changed nothing', async () => {
    const world = new World({ keys: 2, keyBytes: 6, valueBytes: 10, totalBytes: 14 });
    const { state } = world.join();
    await state.set('a', 1);
    await state.set('b', 1);
    await expect(state.set('c', 1)).rejects.toThrow(code('LIMIT', { limit: 'keys' }));
    await expect(state.set('☃☃☃', 1)).rejects.toThrow(code('LIMIT', { limit: 'keyBytes' }));
    await expect(state.set('a', '123456789')).rejects.toThrow(code('LIMIT', { limit: 'valueBytes' }));
    await state.set('a', '12345678');
    await expect(state.set('b', '12345678')).rejects.toThrow(code('LIMIT', { limit: 'totalBytes' }));
    expect([(await state.get('a'))?.value, (await state.get('b'))?.value]).toEqual(['12345678', 1]);
    await state.delete('a');
    await state.set('c', 1);
  });

  test('watches and locks; those that have ended do not count', async () => {
    const { state } = new World({ watches: 1, locks: 2 }).join();
    const first = state.watch('');
    await first.ready;
    await expect(state.watch('').next()).rejects.toThrow(code('LIMIT', { limit: 'watches' }));
    first.close();
    expect((await state.watch('').next()).value).toEqual({ type: 'reset', entries: [], version: 0 });
    const lease = await state.lock('a');
    await state.lock('b');
    await expect(state.lock('c')).rejects.toThrow(code('LIMIT', { limit: 'locks' }));
    await lease.release();
    await state.lock('c');
  });

  test('unanswered calls', async () => {
    const world = new World({ pendingCalls: 3 });
    const process = world.join();
    await process.state.get('k');
    const release = process.hold();
    const three = [1, 2, 3].map(() => process.state.increment('n'));
    await expect(process.state.increment('n')).rejects.toThrow(code('LIMIT', { limit: 'pendingCalls' }));
    release();
    expect((await Promise.all(three)).map(({ value }) => value)).toEqual([1, 2, 3]);
  });
});

describe('calls without an answer', () => {
  test('a timeout, a signal, the end of the channel; `maybeDone` is true for a call that was sent', async () => {
    const world = new World();
    const process = world.join();
    await process.state.get('k');
    process.hold();
    const late = expect(process.state.set('k', 1)).rejects.toThrow(code('TIMEOUT', { maybeDone: true }));
    const abort = new AbortController();
    const aborted = expect(process.state.set('k', 1, { signal: abort.signal })).rejects.toBe('enough');
    abort.abort('enough');
    await aborted;
    await expect(process.state.get('k', { signal: abort.signal })).rejects.toBe('enough');
    await world.clock.advance(5000);
    await late;
    const lost = expect(process.state.set('k', 1)).rejects.toThrow(code('DISCONNECTED', { maybeDone: true }));
    const iteration = expect(process.state.watch('').next()).rejects.toThrow(code('DISCONNECTED'));
    await turns();
    process.die();
    await Promise.all([lost, iteration]);
    await expect(process.state.get('k')).rejects.toThrow(code('DISCONNECTED'));
    expect(world.clock.timers, 'timers left').toBe(0);
  });
});

describe('watch', () => {
  test('begins with a reset, then sends each event in order, and none of another prefix', async () => {
    const world = new World();
    const [writer, reader] = [world.join().state, world.join().state];
    await writer.set('a/1', 1);
    await writer.set('b', 1);
    const watch = reader.watch('a/');
    expect(await take(watch, 1)).toEqual([{ type: 'reset', entries: [{ key: 'a/1', value: 1, version: 1 }], version: 2 }]);
    await Promise.all([writer.set('a/2', 2), writer.set('c', 3), writer.delete('a/1'), writer.set('a/3', 3, { ttlMs: 10 })]);
    expect(await take(watch, 3)).toEqual([
      { type: 'set', key: 'a/2', value: 2, version: 3 }, { type: 'delete', key: 'a/1', version: 5, reason: 'deleted' }, { type: 'set', key: 'a/3', value: 3, version: 6 },
    ]);
    await world.clock.advance(10);
    expect(await take(watch, 1)).toEqual([{ type: 'delete', key: 'a/3', version: 7, reason: 'expired' }]);
    const waiting = watch.next();
    watch.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test('another watch continues after the version of the first, without a gap', async () => {
    const world = new World();
    const writer = world.join().state;
    const first = world.join();
    const watch = first.state.watch('');
    await writer.set('a', 1);
    await take(watch, 1);
    await writer.set('b', 2);
    first.die();
    await writer.set('c', 3);
    const successor = world.join().state.watch('', { since: watch.version });
    await writer.set('d', 4);
    expect(keys(await take(successor, 3))).toEqual(['b', 'c', 'd']);
  });

  test('a watch continues on a new connection, and no event is lost or comes twice', async () => {
    const world = new World();
    const writer = world.join().state;
    const reader = world.join();
    const watch = reader.state.watch('');
    await watch.ready;
    const replica = await reader.state.replica('');
    await writer.set('a', 1);
    expect(keys(await take(watch, 2))).toEqual([[], 'a']);
    // The connection is lost, and events with it.
    world.server.receive(reader.session, { act: 'bye' });
    await writer.set('b', 2);
    reader.client.receive({ cmd: 'NODE_CLUSTER_STATE', act: 'closed' });
    await writer.set('c', 3);
    reader.client.hello();
    await writer.set('d', 4);
    expect(keys(await take(watch, 3))).toEqual(['b', 'c', 'd']);
    await turns();
    expect([replica.keys(), replica.get('c').value]).toEqual([['a', 'b', 'c', 'd'], 3]);
  });

  test('a reset comes for a version that the history has dropped, and for one of an earlier primary', async () => {
    const world = new World({ history: 2 });
    const { state } = world.join();
    for (const key of ['a', 'b', 'c']) await state.set(key, 1);
    expect(keys(await take(state.watch('', { since: 1 }), 2)), 'the last two').toEqual(['b', 'c']);
    expect(keys(await take(state.watch('', { since: 0 }), 1))).toEqual([['a', 'b', 'c']]);
    expect(keys(await take(state.watch('', { since: 99 }), 1))).toEqual([['a', 'b', 'c']]);
    const fromNow = state.watch('', { since: 'now' });
    await fromNow.ready;
    await state.set('d', 1);
    expect(keys(await take(fromNow, 1))).toEqual(['d']);
  });

  test('a reader that does not read gets no more batches; later it gets all events, or a reset', async () => {
    const world = new World({ history: 50 });
    const writer = world.join().state;
    const reader = world.join();
    let batches = 0;
    const receive = reader.client.receive.bind(reader.client);
    reader.client.receive = (value) => {
      const message = readServerMessage(value);
      if (message?.act === 'events') batches += message.batches.length;
      receive(value);
    };
    const watch = reader.state.watch('');
    await watch.ready;
    for (let n = 1; n <= 100; n++) {
      await writer.set('k', n);
      await turns(2);
    }
    expect(batches, 'on their way').toBe(8);
    const events: WatchEvent[] = [];
    let last: unknown;
    while (last !== 100) {
      const [event] = await take(watch, 1) as [WatchEvent];
      events.push(event);
      last = event.type === 'reset' ? event.entries[0]?.value : event.type === 'set' ? event.value : undefined;
    }
    const versions = events.map(({ version }) => version);
    expect(versions).toEqual([...versions].sort((one, other) => one - other));
    expect(events.filter(({ type }) => type === 'reset').length).toBe(2);
    await writer.set('k', 101);
    expect(await take(watch, 1)).toMatchObject([{ type: 'set', value: 101 }]);
  });

  test('a reset in many batches is one event with one version', async () => {
    const world = new World();
    const { state } = world.join();
    const big = 'x'.repeat(60_000);
    for (let n = 0; n < 60; n++) await state.set(`k${n}`, big);
    const watch = state.watch('k');
    await watch.ready;
    await state.set('k0', 'later');
    const [reset, later] = await take(watch, 2) as [WatchEvent & { type: 'reset' }, WatchEvent];
    expect([reset.type, reset.entries.length, new Set(reset.entries.map(({ key }) => key)).size]).toEqual(['reset', 60, 60]);
    expect(reset.entries[0]?.value).toBe(big);
    expect(later).toMatchObject({ key: 'k0', value: 'later' });
  });
});

describe('replica', () => {
  test('its age is the time since the latest batch of the primary', async () => {
    const world = new World();
    const [writer, reader] = [world.join().state, world.join()];
    await writer.set('a', { n: 1 });
    const replica = await reader.state.replica('');
    expect(replica.get('a')).toEqual({ value: { n: 1 }, version: 1, ageMs: 0 });
    expect(replica.get('b')).toEqual({ value: undefined, version: 0, ageMs: 0 });
    await world.clock.advance(600);
    expect(replica.ageMs).toBe(600);
    await world.clock.advance(500);
    expect(replica.ageMs, 'a word each second, though nothing happened').toBe(100);
    reader.hold();
    await writer.set('a', 2);
    await world.clock.advance(2000);
    expect(replica.get('a')).toEqual({ value: { n: 1 }, version: 1, ageMs: 2100 });
    expect((await writer.get('a'))?.value).toBe(2);
  });
});

describe('lock', () => {
  test('one holder at a time, in the order of the calls; tokens grow; a released lease is not held', async () => {
    const world = new World();
    const [one, two, three] = [world.join().state, world.join().state, world.join().state];
    const lease = await one.lock('l');
    const order: string[] = [];
    const second = two.lock('l').then((got) => (order.push('two'), got));
    const third = three.lock('l').then((got) => (order.push('three'), got));
    await turns();
    expect([order, await three.holder('l')]).toEqual([[], { holder: 1, token: lease.token, leftMs: 10_000, waiting: 2 }]);
    await expect(three.lock('l', { timeoutMs: 0 })).rejects.toThrow(code('LOCKED'));
    expect([await lease.release(), await lease.release(), lease.held, lease.signal.aborted]).toEqual([true, false, false, true]);
    expect(() => lease.assertHeld()).toThrow(code('LEASE_LOST'));
    const next = await second;
    expect(next.token).toBeGreaterThan(lease.token);
    await next.release();
    expect((await third).token).toBeGreaterThan(next.token);
    expect(order).toEqual(['two', 'three']);
  });

  test('a lease that has run out is refused in this process and by the primary, and the next caller has the lock', async () => {
    const world = new World();
    const [one, two] = [world.join(), world.join()];
    const lease = await one.state.lock('l', { ttlMs: 100 });
    await one.state.set('k', 'in time', { lease });
    const second = two.state.lock('l');
    await turns();
    // The write is sent in time and arrives too late: only the primary can notice.
    const release = one.hold();
    const late = expect(one.state.set('k', 'late', { lease })).rejects.toThrow(code('LEASE_LOST'));
    await turns();
    await world.clock.advance(100);
    const next = await second;
    release();
    await late;
    expect(lease.signal.reason).toEqual(code('LEASE_LOST'));
    await expect(lease.renew()).rejects.toThrow(code('LEASE_LOST'));
    await expect(one.state.set('k', 'late', { lease })).rejects.toThrow(code('LEASE_LOST'));
    expect(await lease.release()).toBe(false);
    await two.state.set('k', 'mine', { lease: next });
    expect((await one.state.get('k'))?.value).toBe('mine');
    await expect(one.state.set('k', 1, { lease: next }), 'the lease of another process').rejects.toThrow(code('LEASE_LOST'));
  });

  test('a renewal keeps the lock; with autoRenew until the process hangs', async () => {
    const world = new World();
    const [one, two] = [world.join(), world.join()];
    const manual = await one.state.lock('manual', { ttlMs: 100 });
    const automatic = await one.state.lock('automatic', { ttlMs: 100, autoRenew: true });
    await world.clock.advance(80);
    await manual.renew(200);
    await world.clock.advance(150);
    expect([manual.held, automatic.held]).toEqual([true, true]);
    await world.clock.advance(50);
    expect([manual.held, automatic.held]).toEqual([false, true]);
    one.hold();
    const next = two.state.lock('automatic');
    await turns();
    await world.clock.advance(100);
    expect([automatic.held, (await next).held]).toEqual([false, true]);
  });

  test('when the holder dies the next caller has the lock at once, and the calls of the dead process wait no longer', async () => {
    const world = new World();
    const [one, two, three] = [world.join(), world.join(), world.join()];
    await one.state.lock('l');
    const dead = expect(two.state.lock('l')).rejects.toThrow(code('DISCONNECTED'));
    await turns();
    const third = three.state.lock('l');
    await turns();
    two.die();
    one.die();
    await dead;
    expect((await third).held).toBe(true);
  });

  test('a caller that has given up gets no lock: after its timeout, and if it aborts while the grant is on its way', async () => {
    const world = new World();
    const [one, two, three] = [world.join(), world.join(), world.join()];
    const lease = await one.state.lock('l', { ttlMs: 60_000 });
    const tired = expect(two.state.lock('l', { timeoutMs: 50 })).rejects.toThrow(code('TIMEOUT', { maybeDone: false }));
    await turns();
    await world.clock.advance(50);
    await tired;
    expect((await one.state.holder('l'))?.waiting).toBe(0);
    const abort = new AbortController();
    const aborted = expect(two.state.lock('l', { signal: abort.signal })).rejects.toBe('enough');
    await turns();
    const release = two.hold();
    await lease.release(); // The grant is on its way to two …
    abort.abort('enough'); // … which does not want it any more.
    await aborted;
    const third = three.state.lock('l');
    release();
    expect((await third).held).toBe(true);
  });

  test('withLock releases the lock whatever happens', async () => {
    const { state } = new World().join();
    expect(await state.withLock('l', (lease) => lease.held)).toBe(true);
    await expect(state.withLock('l', () => { throw new Error('mine'); })).rejects.toThrow('mine');
    expect(await state.holder('l')).toBe(undefined);
  });
});

describe('election', () => {
  test('one process leads; when it closes, dies or hangs the next one does, and the one that hung is deposed', async () => {
    const world = new World();
    const processes = [world.join(), world.join(), world.join()] as const;
    const log: string[] = [];
    const elections = processes.map(({ state }, at) => state.elect('boss', { ttlMs: 100 })
      .on('elected', () => log.push(`${at} leads`)).on('deposed', () => log.push(`${at} is deposed`)).on('closed', (error) => log.push(`${at} closed ${error?.code ?? ''}`)));
    await turns();
    await world.clock.advance(1000);
    expect([log, elections.map(({ isLeader }) => isLeader)]).toEqual([['0 leads'], [true, false, false]]);
    await elections[0]?.close();
    await turns();
    const awake = processes[1].hold();
    await world.clock.advance(100);
    expect(log.slice(1)).toEqual(['1 leads', '0 closed ', '1 is deposed', '2 leads']);
    awake();
    await turns();
    processes[2].die();
    await turns();
    expect(log.slice(5).sort()).toEqual(['1 leads', '2 closed ERR_SHARED_STATE_DISCONNECTED', '2 is deposed']);
  });

  test('is postponed while a limit is reached, with growing pauses, and elected afterwards', async () => {
    const world = new World({ locks: 5 });
    const [greedy, candidate] = [world.join().state, world.join().state];
    const leases = await Promise.all(Array.from({ length: 5 }, (_, n) => greedy.lock(`x${n}`, { ttlMs: 1e9 })));
    const log: unknown[] = [];
    const election = candidate.elect('boss').on('postponed', ({ limit }, ms) => log.push(`${limit} ${ms}`))
      .on('elected', (lease) => log.push(lease.name)).on('closed', (error) => log.push(error));
    await turns();
    await world.clock.advance(10_000);
    expect(log).toEqual([100, 200, 400, 800, 1600, 3200, 5000].map((ms) => `locks ${ms}`));
    await leases[0]?.release();
    await world.clock.advance(5000);
    expect([log.at(-1), election.isLeader]).toEqual(['boss', true]);
    await election.close();
    await turns();
    expect(log.at(-1)).toBe(undefined);
    const last = await greedy.lock('x0', { ttlMs: 1e9 });
    const closing = candidate.elect('boss').on('postponed', () => void closing.close());
    await turns();
    await closing.close();
    expect([last.held, (await greedy.holder('boss'))?.holder]).toEqual([true, undefined]);
  });

  test('without a listener, what postpones or ends it is a warning of the process', async () => {
    const warnings: string[] = [];
    const warned = (warning: Error & { code?: string }): void => { if (warning.code === 'SHARED_STATE_ELECTION') warnings.push(warning.message); };
    process.on('warning', warned);
    try {
      const world = new World({ locks: 1 });
      const { state } = world.join();
      await state.lock('x', { ttlMs: 1e9 });
      const election = state.elect('boss');
      await turns();
      await world.clock.advance(1000);
      expect(warnings.length, 'once').toBe(1);
      expect(warnings[0]).toContain("The election of 'boss' is postponed");
      await election.close();
      state.elect('n'.repeat(2000));
      await turns();
      expect(warnings[1]).toContain('has ended');
    } finally {
      process.removeListener('warning', warned);
    }
  });
});
