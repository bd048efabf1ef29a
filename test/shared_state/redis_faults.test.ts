/** A real Redis that goes away, is silent, or comes back with less than it had: what `sharedState({ store })` says then. */
import { afterEach, describe, expect, test } from 'vitest';
import type * as door from '../../lib/shared_state';
import type { SharedState, SharedStateOptions, WatchEvent } from '../../lib/shared_state';
import { redisStore } from '../examples/redis/store';
import { compiled } from '../support/children';
import type { RedisTestClient } from '../support/redis_client';
import { NO_REDIS, RedisServer, hasRedis } from '../support/redis_server';
import { outcome } from './store_calls';

const { sharedState } = compiled<typeof door>('lib/shared_state.js');
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(options?: { keeps: boolean }): Promise<RedisServer> {
  const server = new RedisServer(options);
  ends.push(() => server.end());
  await server.start();
  return server;
}

async function machine(server: RedisServer, options: SharedStateOptions = {}): Promise<{ state: SharedState; client: RedisTestClient }> {
  const client = await server.connect();
  client.on('error', () => undefined);
  const state = sharedState({ store: redisStore(client, { prefix: 'faults' }), ...options });
  ends.push(() => {
    state.close();
    client.destroy();
  });
  return { state, client };
}

async function take(watch: AsyncIterableIterator<WatchEvent>, count: number): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  while (events.length < count) events.push((await watch.next()).value as WatchEvent);
  return events;
}

if (!hasRedis) console.error(NO_REDIS);

describe.runIf(hasRedis)('a real Redis', () => {
  test('is killed and starts again: nothing that was answered is lost, a lease goes on, and a watch has no gap', async () => {
    const server = await serve();
    const [{ state: one }, { state: other }] = [await machine(server), await machine(server)];
    const watch = one.watch('k', { since: 'now' });
    await watch.ready;
    const lease = await one.lock('l', { ttlMs: 60_000 });
    const version = await one.increment('k').then((sum) => sum.version);
    await server.signal('SIGKILL');
    const meanwhile = outcome(other.increment('k')); // The client keeps it until it is connected again.
    await server.start();
    expect(await meanwhile).toMatch(/^(?:done|STORE, maybe done|STORE)$/);
    const { value } = await other.increment('k');
    expect(value).toBeGreaterThanOrEqual(2);
    const events = await take(watch, value);
    expect(events.map((event) => (event.type === 'set' ? event.value : event.type))).toEqual(Array.from({ length: value }, (_, n) => n + 1));
    expect([lease.held, await outcome(one.set('k', 0, { lease })), await outcome(other.lock('l', { timeoutMs: 0 }))]).toEqual([true, 'done', 'LOCKED']);
    expect((await other.get('k'))?.version).toBeGreaterThan(version);
  });

  test('comes back with older data: who has seen more is told, the others go on, and no version comes twice', async () => {
    const server = await serve({ keeps: false });
    const [one, other, late] = [await machine(server), await machine(server), await machine(server)];
    await one.state.set('k', 'saved');
    const read = await other.state.get('k');
    await one.client.sendCommand(['SAVE']);
    const watch = one.state.watch('');
    await take(watch, 1);
    const lost = await one.state.set('k', 'lost');
    const lease = await one.state.lock('l', { ttlMs: 60_000 });
    await take(watch, 1);
    await server.signal('SIGKILL');
    await server.start();
    // This one has seen nothing that is gone.
    expect(await other.state.get('k')).toEqual(read);
    const again = await other.state.set('k', 'again');
    expect(again).toBeGreaterThan(lease.token);
    // This one has, and its next call is not done, although the watch may have noticed the loss before.
    expect(await outcome(one.state.compareAndSet('k', lost, 'wrong'))).toMatch(/^LOST/);
    // Where the watch noticed it while that call was under way, the loss is said once more.
    expect(await outcome(one.state.get('k'))).toMatch(/^(?:done|LOST)$/);
    expect([lease.held, (await one.state.get('k'))?.value]).toEqual([false, 'again']);
    // The watch begins anew, with what was there when it noticed: before or after the other machine's write.
    const [reset] = await take(watch, 1);
    const value = reset?.type === 'reset' ? reset.entries.map((entry) => entry.value).join() : 'no reset';
    expect(['saved', 'again']).toContain(value);
    if (value === 'saved') expect(await take(watch, 1)).toMatchObject([{ type: 'set', key: 'k', value: 'again', version: again }]);
    expect(await take(late.state.watch('', { since: lost }), 1)).toMatchObject([{ type: 'reset' }]);
  });

  test('is silent: a call rejects with a timeout that says what is not known; afterwards all goes on', async () => {
    const server = await serve();
    const { state } = await machine(server);
    await state.increment('k');
    await server.signal('SIGSTOP');
    expect(await outcome(state.increment('k', 1, { timeoutMs: 50 }))).toBe('TIMEOUT, maybe done');
    expect(await outcome(state.lock('l', { timeoutMs: 50 }))).toBe('TIMEOUT');
    await server.signal('SIGCONT');
    // What was sent while it was stopped is done by then, since it came first. The lock was given back.
    expect((await state.get('k', { timeoutMs: 30_000 }))?.value).toBe(2);
    expect((await state.lock('l')).held).toBe(true);
  });

  test('is gone for good: calls reject, close ends everything', async () => {
    const server = await serve();
    const { state, client } = await machine(server, { timeoutMs: 50 });
    const watch = state.watch('');
    await take(watch, 1);
    await server.signal('SIGKILL');
    expect(await outcome(state.get('k'))).toMatch(/^(?:STORE|TIMEOUT, maybe done)$/);
    client.destroy();
    expect(await outcome(state.set('k', 1))).toBe('STORE, maybe done');
    const next = watch.next();
    state.close();
    expect((await next).done).toBe(true);
  });
});
