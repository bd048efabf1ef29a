/**
 * `sharedState({ store })`: the same surface as over a primary; and what happens when the store fails, lies, is silent or
 * has lost its data. The store is in memory here. Two stores of one memory are two machines.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type * as door from '../../lib/shared_state';
import type { SharedState, SharedStateOptions, SharedStore, StateError, WatchEvent } from '../../lib/shared_state';
import { compiled, thrownBy } from '../support/children';
import { Memory } from './memory_store';
import { calls, codeOf, methods } from './store_calls';

const { sharedState } = compiled<typeof door>('lib/shared_state.js');

const opened: SharedState[] = [];
afterEach(() => {
  for (const state of opened.splice(0)) state.close();
});

function open(store: SharedStore, options: SharedStateOptions = {}): SharedState {
  const state = sharedState({ store, ...options });
  opened.push(state);
  return state;
}

/** Two machines, and the memory that they share. */
function machines(): { memory: Memory; one: SharedState; other: SharedState } {
  const memory = new Memory();
  return { memory, one: open(memory.connect()), other: open(memory.connect()) };
}

const failure = async (promise: Promise<unknown>): Promise<StateError> => promise.then(() => { throw new Error('it did not fail'); }, (error: StateError) => error);
const codeAndDone = async (promise: Promise<unknown>): Promise<string> => codeOf(await failure(promise));

/** The next events of a watch. */
async function take(watch: AsyncIterableIterator<WatchEvent>, count: number): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  while (events.length < count) events.push((await watch.next()).value as WatchEvent);
  return events;
}

/** The warnings of this process while `body` runs. */
async function warningsOf(body: () => Promise<void>): Promise<string[]> {
  const codes: string[] = [];
  const listener = (warning: Error & { code?: string }): void => void codes.push(warning.code ?? warning.name);
  process.on('warning', listener);
  try {
    await body();
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('warning', listener);
  }
  return codes;
}

describe('as over a primary', () => {
  test('keys: what one machine writes the other reads', async () => {
    const { one, other } = machines();
    const version = await one.set('k', { a: [1, null] }, { ttlMs: 60_000 });
    const read = await other.get('k');
    expect([read?.value, read?.version, (read?.ttlMs ?? 0) > 50_000]).toEqual([{ a: [1, null] }, version, true]);
    expect(await other.compareAndSet('k', version + 1, 5)).toMatchObject({ done: false, version, current: { value: { a: [1, null] } } });
    expect(await other.compareAndSet('k', version, 5)).toMatchObject({ done: true });
    expect((await one.increment('k', 2)).value).toBe(7);
    expect([await one.delete('k', { version }), await one.delete('k'), await one.get('k')]).toEqual([false, true, undefined]);
  });

  test('locks: a lease fences, another machine waits for it, and close gives it back', async () => {
    const { one, other } = machines();
    const lease = await one.lock('l', { ttlMs: 60_000, autoRenew: true });
    await lease.renew();
    expect(await one.set('k', 1, { lease })).toBeGreaterThan(0);
    expect(await codeAndDone(other.lock('l', { timeoutMs: 0 }))).toBe('LOCKED');
    expect(await codeAndDone(other.lock('l', { timeoutMs: 5 }))).toBe('TIMEOUT');
    const waiting = other.withLock('l', (next) => next.token);
    one.close();
    expect(lease.held).toBe(false);
    expect(await waiting).toBeGreaterThan(lease.token);
    expect(await other.lock('l', { timeoutMs: 0 }).then((free) => free.release())).toBe(true);
  });

  test('a lease ends by itself, also if its holder is gone', async () => {
    const { one, other } = machines();
    const lease = await one.lock('l', { ttlMs: 20 });
    const next = await other.lock('l');
    expect([lease.held, next.token > lease.token]).toEqual([false, true]);
    expect(await codeAndDone(one.set('k', 1, { lease }))).toBe('LEASE_LOST');
    expect(await one.get('k')).toBeUndefined();
  });

  test('elections: one leads, and after its end another one', async () => {
    const { one, other } = machines();
    const elected = (state: SharedState): Promise<SharedState> => new Promise((resolve) => state.elect('e', { ttlMs: 60_000 }).once('elected', () => resolve(state)));
    const both = [elected(one), elected(other)];
    const leader = await Promise.race(both);
    leader.close();
    expect((await Promise.all(both)).length).toBe(2);
  });

  test('watches and replicas: each change once, in order, on every machine; at its end a store is given back its hints', async () => {
    const { memory, one, other } = machines();
    await one.set('p/0', 0);
    const watch = other.watch('p/');
    expect((await take(watch, 1))[0]).toMatchObject({ type: 'reset', entries: [{ key: 'p/0', value: 0 }] });
    const now = other.watch('p/', { since: 'now' });
    await now.ready;
    const replica = await other.replica('p/');
    for (let n = 1; n <= 300; n++) await one.set(`p/${n}`, n);
    await one.delete('p/0');
    for (const each of [watch, now]) {
      const events = await take(each, 301);
      expect(events.map((event) => (event.type === 'set' ? event.value : event.type))).toEqual([...Array.from({ length: 300 }, (_, n) => n + 1), 'delete']);
    }
    const resumed = other.watch('p/', { since: watch.version - 1 });
    expect(await take(resumed, 1)).toMatchObject([{ type: 'delete', key: 'p/0' }]);
    const forgotten = other.watch('p/', { since: 5 });
    expect(await take(forgotten, 1)).toMatchObject([{ type: 'reset' }]);
    while (replica.get('p/300').value !== 300) await new Promise((resolve) => setImmediate(resolve));
    expect([replica.keys().length, replica.ageMs < 60_000]).toEqual([300, true]);
    for (const each of [watch, now, resumed, forgotten]) each.close();
    replica.close();
    await one.get('x'); // The 'unwatch' calls are sent with it.
    expect(memory.watching).toBe(0);
    const again = other.watch('p/');
    await again.ready;
    expect(memory.watching).toBe(1);
    other.close();
    expect([memory.watching, (await again.next()).done]).toEqual([0, false]);
    expect((await again.next()).done).toBe(true);
  });

  test('a reader that does not read has a bounded number of events asked for it', async () => {
    const memory = new Memory(100);
    const store = memory.connect();
    let asked = 0;
    const state = open({ ...store, changes: (...args) => {
      asked++;
      return store.changes(...args);
    } });
    const watch = state.watch('', { since: 'now' });
    await watch.ready;
    const writer = open(memory.connect());
    for (let n = 0; n < 400; n++) await writer.set('k', n);
    const before = asked;
    for (let n = 400; n < 600; n++) await writer.set('k', n);
    expect([asked, asked < 400]).toEqual([before, true]);
    // What the history has forgotten meanwhile comes as a reset.
    const seen: unknown[] = [];
    while (seen.at(-1) !== 599) {
      const [event] = await take(watch, 1);
      seen.push(event?.type === 'set' ? event.value : event?.type === 'reset' ? event.entries[0]?.value : event);
    }
    expect(seen).toEqual([...Array.from({ length: 256 }, (_, n) => n), 599]);
  });
});

describe('bad input', () => {
  test('options: what is no store, what excludes a store, and limits that nobody would keep', () => {
    const store = new Memory().connect();
    const code = (options: unknown): string | undefined => thrownBy(() => sharedState(options as object)).code;
    expect([null, 1, 'redis', {}, { ...store, get: 1 }].map((bad) => code({ store: bad }))).toEqual(Array(5).fill('ERR_INVALID_ARG_TYPE'));
    expect([{ separate: true }, { separate: false }, { cluster: { on: () => 0, isPrimary: true } }, { limits: { keys: 5 } }, { limits: { kyes: 5 } }]
      .map((bad) => code({ store, ...bad }))).toEqual(Array(5).fill('ERR_INVALID_ARG_VALUE'));
    expect([{ timeoutMs: -1 }, { limits: { watches: 0 } }].map((bad) => code({ store, ...bad }))).toEqual(Array(2).fill('ERR_OUT_OF_RANGE'));
    const state = open(store, { limits: { keyBytes: 5, valueBytes: 5, watches: 1, pendingCalls: 2 } });
    expect(sharedState({ store })).toBe(state);
    expect(code({ store, limits: { watches: 2 } })).toBe('ERR_INVALID_STATE');
    state.close();
    expect(sharedState({ store })).not.toBe(state);
    sharedState({ store }).close();
  });

  test('calls: the errors of a primary, and two more', async () => {
    const state = open(new Memory().connect(), { limits: { keyBytes: 5, valueBytes: 5, watches: 1, pendingCalls: 2 } });
    const codes = (calls: Promise<unknown>[]): Promise<string[]> => Promise.all(calls.map(codeAndDone));
    expect(await codes([state.get('ä€😀'), state.set('k', 'longer'), state.lock('longer'), state.set('k', NaN)])).toEqual(['LIMIT', 'LIMIT', 'LIMIT', 'VALUE']);
    expect(await codes([state.get(1 as unknown as string), state.set('k', 1, { ttlMs: '1' as unknown as number })])).toEqual(Array(2).fill('ERR_INVALID_ARG_TYPE'));
    expect(await codes([state.increment('k', NaN), state.set('k', 1, { ttlMs: 0 })])).toEqual(Array(2).fill('ERR_OUT_OF_RANGE'));
    expect(await codes([state.get('\ud800'), failure(state.set('a\udc00', 1)).then((error) => { throw error; })])).toEqual(Array(2).fill('ERR_INVALID_ARG_VALUE'));
    expect(await codeAndDone(state.holder('l'))).toBe('UNSUPPORTED');
    await state.set('k', 'x');
    expect(await codeAndDone(state.increment('k'))).toBe('NOT_A_NUMBER');
    const watches = [state.watch(''), state.watch('')];
    await watches[0]?.ready;
    expect(await codeAndDone(watches[1]?.ready ?? Promise.resolve())).toBe('LIMIT');
    const three = [state.get('k'), state.get('k'), state.get('k')];
    expect((await Promise.allSettled(three)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((await failure(three[2] as Promise<unknown>)).limit).toBe('pendingCalls');
  });
});

/** A store of which one method is another one. */
const withMethod = (name: string, method: (...args: unknown[]) => unknown): SharedStore => ({ ...new Memory().connect(), [name]: method });

describe('a store that fails', () => {
  const isRead = (name: string): boolean => ['get', 'list', 'changes', 'watch'].includes(name);
  const unreadable = Object.defineProperties(new Error(), { code: { get: () => { throw new Error('code'); } }, message: { get: () => { throw new Error('message'); } } });
  const ways: Record<string, () => unknown> = {
    rejects: () => Promise.reject(new Error('Socket closed unexpectedly')),
    'throws at once': () => { throw new Error('Socket closed unexpectedly'); },
    'throws no error': () => { throw undefined; },
    'throws an error that cannot be read': () => { throw unreadable; },
    'throws an error with a symbol for a message': () => { throw Object.assign(new Error(), { message: Symbol('s') }); },
    'throws a proxy that cannot be looked at': () => { throw new Proxy(new Error(), { getPrototypeOf: () => { throw new Error('prototype'); } }); },
    'has a code of its own': () => { throw Object.assign(new Error(), { code: 'ECONNREFUSED', limit: 'x' }); },
  };
  for (const [way, method] of Object.entries(ways)) {
    test.each(methods)(`${way}: %s rejects, and says whether it may have been done`, async (name) => {
      const state = open(withMethod(name, method));
      const expected = name === 'watch' && way === 'rejects' ? 'PROTOCOL' : isRead(name) ? 'STORE' : 'STORE, maybe done';
      expect(await codeAndDone(calls[name](state))).toBe(expected);
      expect(await codeAndDone(state.holder('l')), 'it goes on').toBe('UNSUPPORTED');
    });
  }

  test('a store that knows that nothing was done is believed; a refusal whose limit is unknown arrives', async () => {
    const loading = open(withMethod('set', () => { throw Object.assign(new Error('LOADING'), { maybeDone: false }); }));
    const error = await failure(loading.set('k', 1));
    expect([error.code, error.maybeDone, error.message]).toEqual(['ERR_SHARED_STATE_STORE', undefined, "The store has failed in 'set': LOADING"]);
    const limit = open(withMethod('set', () => { throw Object.assign(new Error('full'), { code: 'ERR_SHARED_STATE_LIMIT', limit: 'x' }); }));
    expect((await failure(limit.set('k', 1))).code).toBe('ERR_SHARED_STATE_LIMIT');
  });

  test('an election waits until the store answers again, and says so', async () => {
    const store = new Memory().connect();
    let fails = 3;
    const state = open({ ...store, acquire: (...args) => (fails-- > 0 ? Promise.reject(new Error('gone')) : store.acquire(...args)) });
    const election = state.elect('e');
    const postponed: string[] = [];
    election.on('postponed', ({ code }: StateError, ms: number) => postponed.push(`${code} ${ms}`));
    await new Promise((resolve) => election.once('elected', resolve));
    expect(postponed).toEqual(['ERR_SHARED_STATE_STORE 100', 'ERR_SHARED_STATE_STORE 200', 'ERR_SHARED_STATE_STORE 400']);
  });

  test('watches go on without a gap when it answers again; one warning says that they wait', async () => {
    const memory = new Memory();
    const store = memory.connect();
    const away = { is: false, asked: 0 };
    const state = open({ ...store, changes: (...args) => {
      away.asked++;
      return away.is ? Promise.reject(new Error('gone')) : store.changes(...args);
    } });
    const watch = state.watch('k', { since: 'now' });
    await watch.ready;
    const writer = open(memory.connect());
    const warned = await warningsOf(async () => {
      away.is = true;
      for (let n = 0; n < 50; n++) await writer.set('k', n);
      expect(away.asked).toBeGreaterThan(3);
      away.is = false;
      const events = await take(watch, 50); // The next beat asks.
      expect(events.map((event) => (event.type === 'set' ? event.value : event.type))).toEqual(Array.from({ length: 50 }, (_, n) => n));
    });
    expect(warned).toEqual(['SHARED_STATE_STORE']);
  });

  test('without a single hint events come with the beat; a store that calls back at once, always and after the end does no harm', async () => {
    const memory = new Memory();
    const writer = open(memory.connect());
    const silent = open({ ...memory.connect(), watch: () => () => undefined });
    let changed: () => void = () => undefined;
    const noisy = open({ ...memory.connect(), watch: (callback) => {
      callback();
      changed = callback;
      return () => { throw new Error('cannot end'); };
    } });
    const watches = [silent, noisy].map((state) => state.watch('k', { since: 'now' }));
    for (const watch of watches) await watch.ready;
    for (let n = 0; n < 20; n++) {
      for (let times = 0; times < 10; times++) changed();
      await writer.set('k', n);
    }
    for (const watch of watches) {
      expect((await take(watch, 20)).map((event) => (event.type === 'set' ? event.value : event.type))).toEqual(Array.from({ length: 20 }, (_, n) => n));
    }
    noisy.close();
    changed();
  });

  test('hints that end with a rejection are warned of, and those of a store that closes the shared state meanwhile are ended', async () => {
    const rejecting = open(withMethod('watch', () => async () => Promise.reject(new Error('cannot end'))));
    const watch = rejecting.watch('k');
    await watch.ready;
    expect(await warningsOf(async () => rejecting.close())).toEqual(['SHARED_STATE_STORE']);

    let ended = 0;
    const closing = open(withMethod('watch', () => {
      closing.close();
      return () => { ended++; };
    }));
    await failure(closing.watch('k').ready);
    expect(ended).toBe(1);
  });
});

describe('a store that is silent', () => {
  test('a call rejects with a timeout; what comes later changes nothing, and a lock that comes later is given back', async () => {
    const memory = new Memory();
    const store = memory.connect();
    const held: (() => void)[] = [];
    const hold = <Outcome>(promise: Promise<Outcome>): Promise<Outcome> => new Promise((resolve) => { held.push(() => void promise.then(resolve)); });
    const state = open({ ...store, set: (...args) => hold(store.set(...args)), acquire: (...args) => hold(store.acquire(...args)) }, { timeoutMs: 20 });
    expect(await codeAndDone(state.set('k', 1))).toBe('TIMEOUT, maybe done');
    expect(await codeAndDone(state.lock('l', { timeoutMs: 20, ttlMs: 600_000 }))).toBe('TIMEOUT');
    const other = open(memory.connect());
    expect(await codeAndDone(other.lock('l', { timeoutMs: 0 }))).toBe('LOCKED');
    for (const release of held) release();
    expect((await other.lock('l', { ttlMs: 1000 })).held).toBe(true);
  });

  test('a call that is aborted rejects with its reason', async () => {
    const state = open(withMethod('set', () => new Promise(() => undefined)));
    const abort = new AbortController();
    const call = state.set('k', 1, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
  });

  test('a lock that is granted after close is given back', async () => {
    const memory = new Memory();
    const state = open(memory.connect());
    const lock = failure(state.lock('l', { ttlMs: 600_000 }));
    await Promise.resolve();
    state.close();
    expect((await lock).code).toBe('ERR_SHARED_STATE_CLOSED');
    expect((await open(memory.connect()).lock('l')).held).toBe(true);
  });
});

describe('a store that lies', () => {
  const lies: Record<keyof typeof calls, readonly unknown[]> = {
    get: [null, 1, {}, { text: 1, version: 1 }, { text: '1', version: -1 }, { text: '{', version: 1 }, { text: '1', version: 1, ttlMs: 'x' }, { text: '1', version: 1.5 }],
    set: [undefined, null, '1', -1, NaN],
    compareAndSet: [undefined, true, { done: true }, { done: 1, version: 1 }, { done: false, current: {} }],
    increment: [undefined, { version: 1 }, { text: 'x', version: 1 }],
    delete: [undefined, 1, 'OK'],
    acquire: [undefined, {}, { token: 'x' }, { leftMs: -1 }, { leftMs: NaN }],
    list: [undefined, [], { entries: {} }, { entries: [], version: 'x' }, { entries: [{ key: 1, text: '1', version: 1 }], version: 2 }, { entries: new Array(1), version: 2 }],
    changes: [null, undefined, { events: 1, version: 1 }, { events: new Array(1), version: 1 }, { events: [], version: -1 }],
    watch: [undefined, {}, Promise.resolve()],
  };
  test.each(methods)('%s', async (name) => {
    for (const lie of lies[name]) {
      const state = open(withMethod(name, () => lie));
      const error = await failure(calls[name](state));
      expect([lie, error.code]).toEqual([lie, 'ERR_SHARED_STATE_PROTOCOL']);
    }
  });

  test('events out of order, twice, from the future or without a text end the watch with an error, and the others go on', async () => {
    const bad = [
      [{ key: 'k', version: 1, text: '1' }], [{ key: 'k', version: Infinity, text: '1' }], [{ key: 'k', version: 2 ** 53 - 1, text: '1' }],
      [{ key: 'k', text: '1' }], [{ key: 'k', version: 5, gone: 'away' }], [null],
    ];
    for (const events of bad) {
      const memory = new Memory();
      const store = memory.connect();
      let lie = false;
      const state = open({ ...store, changes: async (...args) => {
        const changes = await store.changes(...args);
        return lie && args[0] === 'lie' && changes !== undefined ? { ...changes, events: events as never } : changes;
      } });
      const [watch, honest] = [state.watch('lie', { since: 'now' }), state.watch('k', { since: 'now' })];
      await Promise.all([watch.ready, honest.ready]);
      lie = true;
      await state.set('k', 1);
      expect((await failure(watch.next())).code).toBe('ERR_SHARED_STATE_PROTOCOL');
      expect(await take(honest, 1)).toMatchObject([{ type: 'set', key: 'k' }]);
    }
  });
});

describe('a store that has lost its data', () => {
  test('the first call says so and is not done; leases are lost, watches begin anew, and it goes on', async () => {
    const { memory, one, other } = machines();
    await one.set('k', 1);
    const lease = await one.lock('l', { ttlMs: 60_000 });
    const watch = one.watch('');
    await take(watch, 1);
    await other.get('k');
    const warned = await warningsOf(async () => {
      memory.lose();
      expect(await codeAndDone(one.increment('k'))).toBe('LOST');
      expect([lease.held, lease.signal.aborted]).toEqual([false, true]);
      expect(await take(watch, 1)).toMatchObject([{ type: 'reset', entries: [] }]);
      const { version } = await one.increment('k');
      expect(await take(watch, 1)).toMatchObject([{ type: 'set', key: 'k', value: 1, version }]);
      expect((await one.lock('l', { timeoutMs: 0 })).token).toBeGreaterThan(lease.token);
      // The other machine learns it by itself, also from a watch.
      expect(await take(other.watch(''), 1)).toMatchObject([{ type: 'reset', entries: [{ key: 'k', value: 1 }] }]);
    });
    expect(warned).toEqual(['SHARED_STATE_LOST', 'SHARED_STATE_LOST']);
  });

  test('a store that reports nothing but losses ends its watches, and is warned of a few times', async () => {
    const lost = (): Promise<never> => Promise.reject(Object.assign(new Error('lost'), { code: 'ERR_SHARED_STATE_LOST' }));
    const state = open({ ...new Memory().connect(), list: lost, get: lost });
    const warned = await warningsOf(async () => {
      expect((await failure(state.watch('').next())).code).toBe('ERR_SHARED_STATE_LOST');
      for (let n = 0; n < 10; n++) expect(await codeAndDone(state.get('k'))).toBe('LOST');
    });
    expect(warned).toEqual(Array(3).fill('SHARED_STATE_LOST'));
    await state.set('k', 1);
  });

  test('where a watch has noticed the loss, the next call says so all the same; one that gives back or watches is not refused', async () => {
    const { memory, one, other } = machines();
    await one.set('k', 1);
    const watch = one.watch('');
    await take(watch, 1);
    const lease = await one.lock('l', { ttlMs: 60_000 });
    await other.get('k');
    memory.lose();
    expect(await codeAndDone(other.set('k', 2))).toBe('LOST');
    await other.set('k', 3);
    expect(await take(watch, 1)).toMatchObject([{ type: 'reset', entries: [{ key: 'k', value: 3 }] }]);
    expect([lease.held, await lease.release(), (await one.lock('l', { timeoutMs: 0 })).held]).toEqual([false, false, true]);
    expect(await codeAndDone(one.set('k', 4))).toBe('LOST');
    expect((await one.get('k'))?.value).toBe(3);
  });

  test('calls that were under way together are rejected each once, and there is one loss', async () => {
    const { memory, one } = machines();
    await one.set('k', 1);
    memory.lose();
    const warned = await warningsOf(async () => {
      const codes = await Promise.all(Array.from({ length: 5 }, () => codeAndDone(one.increment('n'))));
      expect(codes[0]).toBe('LOST');
      expect(codes.slice(1)).toEqual(Array(4).fill('LOST, maybe done'));
    });
    expect(warned).toEqual(['SHARED_STATE_LOST']);
    expect((await one.increment('other')).value).toBe(1);
  });

  test('an election goes on', async () => {
    const { memory, one } = machines();
    const election = one.elect('e', { ttlMs: 60_000 });
    const elected = (): Promise<unknown> => new Promise((resolve) => election.once('elected', resolve));
    await elected();
    memory.lose();
    const again = elected();
    await failure(one.get('k'));
    await again;
    expect(election.isLeader).toBe(true);
  });
});
