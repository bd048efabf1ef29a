/**
 * Stores that try to break `sharedState({ store })` (promise 23) by when they call, and not by what they answer: they call
 * back at once, call the shared state from inside, settle twice or never, or fail at random for eight machines.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type * as door from '../../lib/shared_state';
import type { SharedState, SharedStore, StateError } from '../../lib/shared_state';
import { compiled } from '../support/children';
import { seeded } from '../support/seeded';
import { callsOf, expectLinearizable, type Line } from './history';
import { Memory } from './memory_store';
import { calls, methods, outcome } from './store_calls';

const { sharedState } = compiled<typeof door>('lib/shared_state.js');
const opened: SharedState[] = [];
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
process.on('unhandledRejection', note);
afterEach(async () => {
  for (const state of opened.splice(0)) state.close();
  await new Promise((resolve) => setTimeout(resolve)); // What is rejected and unhandled is told after the microtasks.
  expect(unhandled.splice(0)).toEqual([]);
});

function open(store: SharedStore, options: door.SharedStateOptions = {}): SharedState {
  const state = sharedState({ store, ...options });
  opened.push(state);
  return state;
}

/** A memory's store whose methods are all wrapped. */
function wrapped(store: SharedStore, wrap: (name: keyof SharedStore, call: () => unknown) => unknown): SharedStore {
  const entries = Object.entries(store).map(([name, method]) => [name, (...args: unknown[]) => wrap(name as keyof SharedStore, () => Reflect.apply(method, store, args))]);
  return Object.fromEntries(entries) as SharedStore;
}

describe('when it calls', () => {
  test.each(['microtasks', 'turns'])('a store that says at each question that something has changed is asked a few times, and events come (%s)', async (kind) => {
    const memory = new Memory();
    const writer = open(memory.connect());
    const store = memory.connect();
    let asked = 0;
    let changed = (): void => undefined;
    let answer: Awaited<ReturnType<SharedStore['changes']>> = undefined;
    const state = open({ ...store, watch: (callback) => {
      changed = callback;
      return () => undefined;
    }, changes: async (...args) => {
      asked++;
      changed();
      if (kind === 'turns') return store.changes(...args);
      // It answers without waiting for anything: a loop of such questions would not let the process do anything else.
      if (asked > 10_000) throw Object.assign(new Error('asked without end'), { code: 'ERR_SHARED_STATE_PROTOCOL' });
      answer ??= await store.changes(...args);
      return answer?.events.length === 0 || args[1] === undefined ? answer : { events: [], version: args[1] };
    } });
    const watch = state.watch('k', { since: 'now' });
    await watch.ready;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked).toBeLessThan(50);
    if (kind === 'microtasks') return;
    await writer.set('k', 1);
    expect((await watch.next()).value).toMatchObject({ type: 'set', value: 1 });
  });

  test('a store whose lock is always about to be free is asked 100 times a second at most', async () => {
    let asked = 0;
    const state = open({ ...new Memory().connect(), acquire: async () => {
      asked++;
      return { leftMs: 0 };
    } });
    expect(await outcome(state.lock('l', { timeoutMs: 300 }))).toBe('TIMEOUT');
    expect(asked).toBeLessThanOrEqual(31);
  });

  const inside: Record<string, (state: SharedState) => unknown> = {
    close: (state) => state.close(),
    'a write': (state) => void state.set('inside', 1).catch(() => undefined),
    'a watch that is closed': (state) => state.watch('inside').close(),
    'a lock': (state) => void state.lock('inside', { ttlMs: 20 }).catch(() => undefined),
    'an exception': () => { throw new Error('inside'); },
  };
  for (const [what, act] of Object.entries(inside)) {
    test.each(methods)(`${what} inside of %s: the call ends, and so does everything else`, async (name) => {
      let depth = 0;
      const state: SharedState = open(wrapped(new Memory().connect(), (method, call) => {
        if (method !== name || depth > 3) return call();
        depth++;
        act(state);
        return call();
      }));
      expect(await outcome(calls[name](state))).toMatch(/^(?:done|STORE(?:, maybe done)?|CLOSED(?:, maybe done)?)$/);
      expect(depth).toBeGreaterThan(0);
      expect(await outcome(state.get('k'))).toBe(what === 'close' ? 'CLOSED' : name === 'get' && what === 'an exception' ? 'STORE' : 'done');
    });
  }

  test('a store that answers by calling the shared state, which asks the store, and so on, comes to an end', async () => {
    const state: SharedState = open({ ...new Memory().connect(), get: async () => {
      await state.get('k');
      return undefined;
    } }, { limits: { pendingCalls: 100 } });
    const { code, message } = await state.get('k').then(() => { throw new Error('it did not fail'); }, (error: StateError) => error);
    expect([code, message]).toEqual(['ERR_SHARED_STATE_LIMIT', expect.stringContaining('100')]);
  });
});

describe('how it settles', () => {
  const version = 5;
  const answers = { get: undefined, set: version, compareAndSet: { done: true, version }, increment: { text: '1', version }, delete: true, acquire: { token: version }, list: { entries: [], version }, changes: { events: [], version } };
  type Settling = (resolve: (value: unknown) => void, reject: (error: unknown) => void, answer: unknown) => void;
  const twice: Record<string, Settling> = {
    'at once, then again with something else': (resolve, _reject, answer) => [answer, 'x', null].forEach(resolve),
    'and then rejects': (resolve, reject, answer) => {
      resolve(answer);
      reject(new Error('late'));
    },
    'and then throws': (resolve, _reject, answer) => {
      resolve(answer);
      throw new Error('late');
    },
    'in a later turn, twice': (resolve, _reject, answer) => {
      setImmediate(resolve, answer);
      setImmediate(resolve, 'x');
    },
  };
  for (const [how, settle] of Object.entries(twice)) {
    test.each(Object.entries(answers))(`a thenable that settles ${how}: %s`, async (name, answer) => {
      const then = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void => settle(resolve, reject, answer);
      const state = open({ ...new Memory().connect(), [name]: () => ({ then }) });
      expect(await outcome(calls[name as keyof typeof answers](state))).toBe('done');
    });
  }

  test.each(Object.keys(answers) as (keyof typeof answers)[])('%s never settles: a call times out, a watch waits, the others go on, and close ends it', async (name) => {
    const isWatch = name === 'list' || name === 'changes';
    const silent = (): SharedStore => ({ ...new Memory().connect(), [name]: () => new Promise(() => undefined) });
    if (!isWatch) expect(await outcome(calls[name](open(silent(), { timeoutMs: 30 })))).toMatch(/^(?:TIMEOUT|TIMEOUT, maybe done|LOCKED)$/);
    const state = open(silent()); // It waits long, so that the others have time on a busy machine.
    const first = outcome(calls[name](state));
    for (const other of methods) if (other !== name && !(name === 'list' && other === 'watch')) expect([other, await outcome(calls[other](state))]).toEqual([other, 'done']);
    const pending = outcome(calls[name](state));
    state.close();
    expect([await first, await pending].every((each) => /^(?:CLOSED|CLOSED, maybe done|LOCKED)$/.test(each))).toBe(true);
  });

  test('renew and release that lie, fail or are silent: the lease says what is known', async () => {
    const store = new Memory().connect();
    const bad: Partial<SharedStore> = {};
    const state = open({ ...store, renew: (...args) => (bad.renew ?? store.renew)(...args), release: (...args) => (bad.release ?? store.release)(...args) }, { timeoutMs: 30 });
    const lease = await state.lock('l', { ttlMs: 60_000 });
    bad.renew = async () => { throw new Error('gone'); };
    expect([await outcome(lease.renew(90_000)), lease.held, lease.leftMs <= 60_000]).toEqual(['STORE, maybe done', true, true]);
    const short = await state.lock('short', { ttlMs: 50 });
    bad.renew = () => new Promise(() => undefined); // It is waited for until the lease ends.
    expect([await outcome(short.renew(90_000)), short.held]).toEqual(['LEASE_LOST', false]);
    bad.release = (async () => 'OK') as never;
    expect(await outcome(lease.release())).toBe('PROTOCOL, maybe done');
    expect([lease.held, await outcome(state.set('k', 1, { lease }))]).toEqual([false, 'LEASE_LOST']);
  });
});

/** Plays one history of eight machines whose stores fail at random, before or after an operation, are late, or never answer. */
async function play(seed: number): Promise<{ readonly lines: Line[]; readonly unknown: number; readonly seen: readonly (readonly number[])[] }> {
  const below = seeded(seed);
  const memory = new Memory(20);
  const lines: Line[] = [];
  let time = 0;
  let unknown = 0;
  let over = false;
  const turns = async (): Promise<void> => { for (let left = below(4); left > 0; left--) await new Promise((resolve) => setImmediate(resolve)); };
  const hostile = (): SharedStore => wrapped(memory.connect(), (name, call) => {
    if (name === 'watch') {
      if (!over && below(4) === 0) throw new Error('no hints');
      return call();
    }
    const chance = over ? 99 : below(100);
    if (chance < 4) throw Object.assign(new Error('before'), { maybeDone: false });
    // The contract says that a question of a watch which is never answered is waited for.
    if (chance < 5 && name !== 'changes' && name !== 'list') return Promise.resolve(call()).then(() => new Promise(() => undefined));
    if (chance < 8) return Promise.resolve(call()).then(() => Promise.reject(new Error('after')));
    if (chance < 20) return turns().then(call).then((answer) => ({ then: (resolve: (value: unknown) => void) => [answer, 'x'].forEach(resolve) }));
    return chance < 40 ? turns().then(call).finally(turns) : call();
  });
  const states = Array.from({ length: 8 }, () => open(hostile(), { timeoutMs: 500 }));
  const seen: number[][] = [];
  const readers = states.map(async (state, own) => {
    const versions: number[] = seen[own] = [];
    for (;;) {
      // A watch that could not begin is begun again.
      try {
        for await (const event of state.watch('', { since: versions.at(-1) })) versions.push(event.version);
        return;
      } catch (error) {
        if ((error as StateError).code === 'ERR_SHARED_STATE_CLOSED') return;
      }
    }
  });
  const keys = ['a', 'b', 'c'];
  await Promise.all(states.map(async (state, own) => {
    const versions = new Map<string, number>();
    for (let n = 0; n < 40; n++) {
      const [call, key, choice, value] = [`${own}/${n}`, keys[below(keys.length)] ?? '', below(10), below(1000)];
      const begin = (action: object): void => void lines.push({ at: String(++time), call, key, ...action });
      try {
        let result: object | null;
        if (choice < 3) {
          begin({ op: 'get' });
          result = await state.get(key) ?? null;
          versions.set(key, (result as { version?: number } | null)?.version ?? 0);
        } else if (choice < 7) {
          begin({ op: 'increment', by: 2 });
          result = await state.increment(key, 2);
        } else if (choice < 9) {
          const expected = versions.get(key) ?? 0;
          begin({ op: 'compareAndSet', expected, value });
          const compared = await state.compareAndSet(key, expected, value);
          versions.set(key, compared.version);
          result = compared;
        } else {
          begin({ op: 'delete' });
          result = { done: await state.delete(key) };
        }
        lines.push({ at: String(++time), call, result });
      } catch (error) {
        if ((error as StateError).maybeDone === true) unknown++;
        else lines.push({ at: String(++time), call, undone: true });
      }
    }
  }));
  over = true;
  const last = await states[0]?.set('end', 1, { timeoutMs: 30_000 }) ?? 0;
  // Each watch gets the last write: with a hint, or with the beat.
  while (seen.some((versions) => (versions.at(-1) ?? 0) < last)) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const state of states) state.close();
  await Promise.all(readers);
  return { lines, unknown, seen };
}

test('eight machines whose stores fail, are late, settle twice or never: linearizable, with an error for what is not known; watches go on', { timeout: 60_000 }, async () => {
  // A store that fails and answers in turn is warned of each time.
  const warnings = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const histories = await Promise.all([1, 2, 3].map(play)).finally(() => warnings.mockRestore());
  for (const { lines, unknown, seen } of histories) {
    expect(unknown).toBeGreaterThan(3);
    expectLinearizable(callsOf(lines, ({ at }) => Number(at)), ['a', 'b', 'c']);
    for (const versions of seen) expect(versions).toEqual([...new Set(versions)].sort((one, other) => one - other));
  }
});
