/** Guards against tables that only grow: ten thousand keys, watches, locks, calls and sessions come and go, and each table is as large as before. */
import { EventEmitter } from 'node:events';
import type { Cluster } from 'node:cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deadlines } from '../../internal/shared_state/server/deadlines';
import { openInPrimary } from '../../internal/shared_state/server/primary';
import { STATE } from '../../internal/shared_state/protocol';
import { mergeLimits } from '../../internal/shared_state/values';
import { seeded } from '../support/children';
import { tableSizes } from './tables';
import { World, turns, type Process } from './world';

const MANY = 10_000;
/** Events that the history keeps by design. */
const HISTORY = 8;

// Each call that times out makes an error, and the test runner would map each line of its stack, which takes long.
const { stackTraceLimit } = Error;
beforeAll(() => { Error.stackTraceLimit = 0; });
afterAll(() => { Error.stackTraceLimit = stackTraceLimit; });

test('the heap of deadlines has at most two entries for each deadline, plus 64, after each call', () => {
  const deadlines = new Deadlines<number>();
  const below = seeded(3);
  const check = (): void => {
    if (deadlines.heapSize > 2 * deadlines.size + 64) throw new Error(`${deadlines.heapSize} entries for ${deadlines.size} deadlines`);
  };
  deadlines.set(-1, 0);
  for (let key = 0; key < MANY; key++) deadlines.set(key, 1e9 + key);
  for (let key = 0; key < MANY; key++) {
    deadlines.delete(key);
    check();
  }
  for (let step = 0; step < 20_000; step++) {
    const key = below(500);
    if (below(3) === 0) deadlines.delete(key);
    else deadlines.set(key, step + below(1000));
    if (below(100) === 0) deadlines.due(step);
    check();
  }
  deadlines.due(Infinity);
  check();
  expect(deadlines.next()).toBe(Infinity);
});

/** The sizes of all tables of a server, its clients and the clock. */
const sizes = (world: World, processes: readonly Process[]): Map<string, number> =>
  tableSizes({ server: world.server, clients: processes.map(({ client }) => client), timers: world.clock });

test('ten thousand keys, locks, waiting calls, watches and aborted calls leave each Map, Set and array as large as before', async () => {
  const world = new World({ history: HISTORY, watches: 1000 });
  const [one, two] = [world.join(), world.join()];
  const work = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1000) {
      const batch = Array.from({ length: 1000 }, (_, n) => `${done + n}`);
      await Promise.all(batch.map((key) => one.state.set(key, key, { ttlMs: 1e6 })));
      await Promise.all(batch.map((key, n) => (n % 2 === 0 ? two.state.delete(key) : one.state.set(key, 1, { ttlMs: 10 }))));
      // One lease of a hundred runs out, and so does the call that waits for its lock; the others are released.
      const ttl = (n: number): number => (n % 100 === 0 ? 10 : 1e6);
      const leases = await Promise.all(batch.map((key, n) => one.state.lock(key, { ttlMs: ttl(n), autoRenew: n % 100 === 1 })));
      const giveUp = new AbortController();
      const waits = batch.map((key, n) => two.state.lock(key, n % 100 === 0 ? { timeoutMs: 5 } : { signal: giveUp.signal }).catch(() => undefined));
      await turns(2);
      giveUp.abort();
      await world.clock.advance(5);
      await Promise.all(waits);
      await Promise.all(leases.filter((_, n) => n % 100 !== 0).map((lease) => lease.release()));
      const watches = batch.map((key) => two.state.watch(key));
      await Promise.all(watches.map(({ ready }) => ready));
      for (const watch of watches) watch.close();
      const abort = new AbortController();
      const aborted = batch.map((key) => one.state.get(key, { signal: abort.signal }).catch(() => undefined));
      abort.abort();
      await Promise.all(aborted);
      await world.clock.advance(20);
    }
  };
  await work(1000);
  const before = sizes(world, [one, two]);
  expect([...before.keys()].filter((path) => /#(locks|holders|entries|deadlines|pending|givenUp|watches|sessions)/.test(path)).length).toBeGreaterThan(7);
  await work(MANY);
  expect(grown(before, sizes(world, [one, two]))).toEqual([]);
});

test('ten thousand sessions, each with a lock, a waiting call and a watch, leave nothing behind', async () => {
  const world = new World({ history: HISTORY });
  const stays = world.join();
  await stays.state.lock('mine', { ttlMs: 1e9 });
  const come = async (count: number): Promise<void> => {
    for (let session = 0; session < count; session++) {
      const process = world.join();
      void process.state.lock('theirs').catch(() => undefined);
      void process.state.lock('mine').catch(() => undefined);
      void process.state.watch('').ready.catch(() => undefined);
      if (session % 20 === 0) await turns(1);
      process.die();
    }
    await turns(2);
  };
  await come(100);
  const before = sizes(world, [stays]);
  await come(MANY);
  expect(grown(before, sizes(world, [stays]))).toEqual([]);
});

test('ten thousand workers of a primary leave no listener and no session behind', async () => {
  const cluster = Object.assign(new EventEmitter(), { isPrimary: true, workers: {} });
  const listeners = (): number[] => ['fork', 'disconnect', 'exit'].map((event) => cluster.listenerCount(event));
  const state = openInPrimary(cluster as EventEmitter as Cluster, mergeLimits({ history: HISTORY }), 5000, () => undefined);
  const before = listeners();
  const processes: EventEmitter[] = [];
  for (let id = 1; id <= MANY; id++) {
    const process = new EventEmitter();
    let connected = true;
    const worker = { id, process, isConnected: () => connected, send: () => true };
    cluster.emit('fork', worker);
    process.emit('internalMessage', { cmd: STATE, act: 'hello' });
    process.emit('internalMessage', { cmd: STATE, act: 'calls', calls: [{ id: 1, op: 'lock', name: 'l', ttlMs: 1000, wait: true }, { id: 2, op: 'watch', watch: 3, prefix: '' }] });
    // Half of them exit before their channel ends.
    if (id % 2 === 0) cluster.emit('exit', worker);
    connected = false;
    cluster.emit('disconnect', worker);
    if (id % 2 === 1) cluster.emit('exit', worker);
    processes.push(process);
  }
  expect([listeners(), processes.filter((process) => process.listenerCount('internalMessage') > 0).length]).toEqual([before, 0]);
  expect(await state.holder('l')).toBe(undefined);
  state.close();
  expect(listeners()).toEqual([0, 0, 0]);
});

/** The tables that have another size than before. The array of the history may be up to twice as long as its events. */
function grown(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after].filter(([path, size]) => (path.endsWith('#heap') ? size > 64 : path.includes('#events') ? size > 2 * HISTORY + 2 : size !== (before.get(path) ?? 0)))
    .map(([path, size]) => `${path}: ${before.get(path) ?? 0} → ${size}`);
}
