/**
 * The contract of a store, as tests: whoever writes an adapter calls `storeContract` in a test file of vitest.
 *
 *   storeContract('redis', async () => ({ one, other, lose, end }));
 *
 * Time is real here, since it is the server's: leases and times to live of some ms are waited for, by asking again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SharedStore, StoreEvent } from '../../lib/shared_state';

/** An empty store, as two machines see it. */
export interface StoreUnderTest {
  readonly one: SharedStore;
  readonly other: SharedStore;
  /** Removes everything that the server has, behind the back of the stores. */
  lose(): Promise<void> | void;
  /** Gives back everything. */
  end(): Promise<void> | void;
}

/** Asks until the answer is wanted. The test's own deadline ends it. */
async function until<Outcome>(ask: () => Promise<Outcome>, isWanted: (outcome: Outcome) => boolean): Promise<Outcome> {
  for (;;) {
    const outcome = await ask();
    if (isWanted(outcome)) return outcome;
  }
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'resolved', (error: { code?: unknown }) => error.code);

/** Tests a store. `makeStore`: called once. */
export function storeContract(name: string, makeStore: () => Promise<StoreUnderTest> | StoreUnderTest): void {
  describe(`the contract of a store: ${name}`, () => {
    let under: StoreUnderTest;
    let one: SharedStore;
    let other: SharedStore;
    beforeAll(async () => {
      under = await makeStore();
      ({ one, other } = under);
    });
    afterAll(() => under.end());

    test('what one machine writes the other reads, and each write has a greater version', async () => {
      expect(await one.get('a')).toBeUndefined();
      const first = await one.set('a', '{"deep":["ä€😀\\u0000",-0,1e-7,null]}', {});
      expect(await other.get('a')).toEqual({ text: '{"deep":["ä€😀\\u0000",-0,1e-7,null]}', version: first });
      const second = await other.set('b', '""', {});
      expect(second).toBeGreaterThan(first);
      expect(await one.set('a', '2', {})).toBeGreaterThan(second);
    });

    test.each(['', ' ', '*', '[a-z]?', 'a:b', '{x}', '"', '\\', 'ä€😀', '\u0000', '__proto__', 'k'.repeat(1024)])('the key %j is a key as any other', async (key) => {
      const version = await one.set(key, JSON.stringify(key), {});
      expect(await other.get(key)).toEqual({ text: JSON.stringify(key), version });
      expect((await other.list(key)).entries.filter((entry) => entry.key === key)).toEqual([{ key, text: JSON.stringify(key), version }]);
      expect([await other.delete(key, {}), await one.get(key), await one.delete(key, {})]).toEqual([true, undefined, false]);
    });

    test('compareAndSet writes only over the version that it names; 0: only where there is none', async () => {
      expect(await one.compareAndSet('cas', 5, '1', {})).toEqual({ done: false, current: undefined });
      const made = await one.compareAndSet('cas', 0, '1', {});
      expect(made).toEqual({ done: true, version: expect.any(Number) as number });
      const { version } = made as { version: number };
      expect(await other.compareAndSet('cas', 0, '2', {})).toEqual({ done: false, current: { text: '1', version } });
      expect(await other.compareAndSet('cas', version, '2', {})).toMatchObject({ done: true });
      expect(await one.compareAndSet('cas', version, '3', {})).toMatchObject({ done: false, current: { text: '2' } });
      const both = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : other).compareAndSet('race', 0, String(n), {})));
      expect(both.filter(({ done }) => done).length).toBe(1);
    });

    test('increment adds as JavaScript does, loses no update, and refuses what is no number', async () => {
      await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? one : other).increment('count', 1, {})));
      expect(await one.increment('count', -0.25, {})).toMatchObject({ text: '49.75' });
      for (const [from, by] of [[0.1, 0.2], [1.5, 2.5], [5e-324, 5e-324], [2 ** 53 - 2, 1], [0.5, 1e300], [123456789.123, 1e-9]] as const) {
        await one.set('float', String(from), {});
        expect([from, by, Number((await other.increment('float', by, {})).text)]).toEqual([from, by, from + by]);
      }
      for (const text of ['"5"', 'null', '[1]', '{}', 'true', '""']) {
        const version = await one.set('no number', text, {});
        expect([text, await codeOf(one.increment('no number', 1, {}))]).toEqual([text, 'ERR_SHARED_STATE_NOT_A_NUMBER']);
        expect(await one.get('no number')).toEqual({ text, version });
      }
      for (const [from, by] of [[2 ** 53 - 1, 1], [-(2 ** 53 - 1), -1], [1e308, 1.7e308]] as const) {
        await one.set('much', String(from), {});
        expect([from, await codeOf(one.increment('much', by, {}))]).toEqual([from, 'ERR_SHARED_STATE_NOT_A_NUMBER']);
      }
    });

    test('a key has its time to live; a write sets it anew, an increment keeps it', async () => {
      await one.set('short', '1', { ttlMs: 30 });
      expect((await one.get('short'))?.ttlMs ?? 1).toBeLessThanOrEqual(30);
      expect(await until(() => other.get('short'), (found) => found === undefined)).toBeUndefined();
      expect(await one.compareAndSet('short', 0, '2', { ttlMs: 60_000 })).toMatchObject({ done: true });
      expect((await one.increment('short', 1, { ttlMs: 1 })).ttlMs).toBeGreaterThan(50_000);
      await one.set('short', '3', {});
      expect((await other.get('short'))?.ttlMs).toBeUndefined();
      expect((await one.increment('window', 1, { ttlMs: 40_000 })).ttlMs).toBeLessThanOrEqual(40_000);
    });

    test('delete with a version removes only that version', async () => {
      const old = await one.set('gone', '1', {});
      const now = await one.set('gone', '2', {});
      expect([await other.delete('gone', { version: old }), await other.delete('gone', { version: now }), await one.delete('gone', { version: now })]).toEqual([false, true, false]);
    });

    test('a lock has one holder, tokens only grow, and only the holder renews or releases', async () => {
      const first = await one.acquire('lock', 60_000);
      if (first.token === undefined) throw new Error('the lock was not free');
      expect(await other.acquire('lock', 10)).toEqual({ leftMs: expect.any(Number) as number });
      expect([await other.release('lock', first.token + 1), await other.release('lock', first.token - 1)]).toEqual([false, false]);
      expect(await codeOf(other.renew('lock', first.token + 1, 1000))).toBe('ERR_SHARED_STATE_LEASE_LOST');
      await one.renew('lock', first.token, 30_000);
      expect((await other.acquire('lock', 10) as { leftMs: number }).leftMs).toBeLessThanOrEqual(30_000);
      expect([await one.release('lock', first.token), await one.release('lock', first.token)]).toEqual([true, false]);
      const all = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : other).acquire('lock', 60_000)));
      const granted = all.flatMap(({ token }) => (token === undefined ? [] : [token]));
      expect([granted.length, (granted[0] ?? 0) > first.token]).toEqual([1, true]);
      await one.renew('lock', granted[0] ?? 0, 20);
      const next = await until(() => other.acquire('lock', 60_000), ({ token }) => token !== undefined); // After 20 ms.
      expect(next.token).toBeGreaterThan(granted[0] ?? Infinity);
      expect(await codeOf(one.renew('lock', granted[0] ?? 0, 1000))).toBe('ERR_SHARED_STATE_LEASE_LOST');
      await other.release('lock', next.token ?? 0);
    });

    test('a write with a lease that is not held is not done', async () => {
      const { token = 0 } = await one.acquire('fence', 60_000);
      const fence = { name: 'fence', token };
      const version = await other.set('fenced', '1', { fence });
      for (const wrong of [{ ...fence, token: token + 1 }, { ...fence, name: 'another' }]) {
        const refused = [other.set('fenced', '2', { fence: wrong }), other.increment('fenced', 1, { fence: wrong }),
          other.compareAndSet('fenced', version, '2', { fence: wrong }), other.delete('fenced', { fence: wrong })];
        expect(await Promise.all(refused.map(codeOf))).toEqual(Array(4).fill('ERR_SHARED_STATE_LEASE_LOST'));
      }
      expect(await one.get('fenced')).toEqual({ text: '1', version });
      await one.release('fence', token);
      expect(await codeOf(other.set('fenced', '2', { fence }))).toBe('ERR_SHARED_STATE_LEASE_LOST');
    });

    test('changes are all changes, in order, also of keys that expire; what is forgotten is said', async () => {
      const { version: start, events: none } = await one.changes('w/', undefined, 10) ?? { version: 0, events: [null] };
      expect(none).toEqual([]);
      const set = await one.set('w/a', '1', {});
      await one.set('elsewhere', '1', {});
      const short = await one.set('w/b', '2', { ttlMs: 1 });
      await one.delete('w/a', {});
      const seen: StoreEvent[] = [];
      let since = start;
      await until(async () => {
        const changes = await other.changes('w/', since, 1);
        if (changes === undefined) throw new Error('forgotten');
        expect(changes.events.length).toBeLessThanOrEqual(1);
        seen.push(...changes.events);
        since = changes.version;
        return seen.length;
      }, (count) => count === 4);
      expect(seen.slice(0, 2)).toEqual([{ key: 'w/a', version: set, text: '1' }, { key: 'w/b', version: short, text: '2' }]);
      expect(seen.slice(2).map(({ key, gone }) => `${key} ${gone ?? ''}`).sort()).toEqual(['w/a deleted', 'w/b expired']);
      expect(seen.every(({ version }, at) => at === 0 || version > (seen[at - 1]?.version ?? Infinity))).toBe(true);
      const { version: end } = await one.list('w/');
      expect(await other.changes('w/', end + 1000, 10), 'a version that it never had').toBeUndefined();
      expect(await other.changes('w/', 1, 10)).toBeUndefined();
    });

    test('list is all keys under a prefix, and the changes after its version are the others', async () => {
      await Promise.all(['l/1', 'l/2', 'm/3'].map((key) => one.set(key, '1', {})));
      const { entries, version } = await other.list('l/');
      expect(entries.map(({ key }) => key).sort()).toEqual(['l/1', 'l/2']);
      const next = await one.set('l/4', '4', {});
      expect(await other.changes('l/', version, 10)).toEqual({ events: [{ key: 'l/4', version: next, text: '4' }], version: next });
    });

    test('watch calls back after a change, and not after its end', async () => {
      let calls = 0;
      let wake: () => void = () => undefined;
      const stop = other.watch(() => {
        calls++;
        wake();
      });
      // Until it listens a hint may be missed.
      await until(async () => {
        await one.set('hint', String(calls), {});
        return calls;
      }, (count) => count > 0);
      const before = calls;
      const woken = new Promise<void>((resolve) => { wake = resolve; });
      await one.set('hint', '"again"', {});
      await woken;
      expect(calls).toBeGreaterThan(before);
      stop();
      const last = calls;
      await one.set('hint', '"ended"', {});
      await other.get('hint');
      expect(calls).toBe(last);
    });

    test('lost data is reported once to each machine; versions and tokens are greater afterwards', async () => {
      const before = await one.set('before', '1', {});
      const { token = 0 } = await other.acquire('lost', 60_000);
      await under.lose();
      expect(await codeOf(one.increment('before', 1, {}))).toBe('ERR_SHARED_STATE_LOST');
      expect(await one.get('before'), 'the call that reported it was not done').toBeUndefined();
      expect(await codeOf(other.renew('lost', token, 1000))).toBe('ERR_SHARED_STATE_LOST');
      expect(await codeOf(other.renew('lost', token, 1000))).toBe('ERR_SHARED_STATE_LEASE_LOST');
      expect(await one.set('after', '1', {})).toBeGreaterThan(before);
      expect((await other.acquire('lost', 10)).token).toBeGreaterThan(token);
      expect(await other.changes('', before, 10)).toBeUndefined();
    });
  });
}
