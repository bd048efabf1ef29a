/**
 * One machine of a history over Redis: a primary and its workers, all of which use the same keys and one lock.
 *
 *   node --require tsx/cjs redis_machine.ts SOCKET LOG SEED WORKERS OPERATIONS KILLS
 *
 * Each process writes the begin and the end of each call to LOG. The primary kills some of the workers with SIGKILL while
 * they work, and forks others in their place. redis_history.ts starts two machines, and kills or flushes Redis meanwhile.
 */
import { openSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { SharedState, StateError } from '../../lib/shared_state';
import { redisStore } from '../examples/redis/store';
import { RedisTestClient } from '../support/redis_client';
import { seeded } from '../support/seeded';

const dist = (file: string): string => path.resolve(__dirname, '../../dist/lib', file);
// The compiled code: it is what is shipped, and a worker needs less time to load it.
const cluster = require(dist('cluster.js')) as typeof import('../../lib/cluster');
const { sharedState } = require(dist('shared_state.js')) as typeof import('../../lib/shared_state');

const KEYS = ['a', 'b', 'c', 'd'];
const [socket = '', log = '', seed = '', workers = '', operations = '', kills = ''] = process.argv.slice(2);
const own = `${seed}/${cluster.worker?.id ?? 0}`;
const below = seeded(Number(seed) * 7919 + (cluster.worker?.id ?? 0) * 104729);
const file = openSync(log, 'a');
const note = (entry: object): void => void writeSync(file, `${JSON.stringify({ ...entry, at: String(process.hrtime.bigint()) })}\n`);

void (cluster.isPrimary ? runPrimary() : run(() => cluster.worker?.disconnect()));

async function runPrimary(): Promise<void> {
  cluster.setupPrimary({ exec: __filename, args: process.argv.slice(2), execArgv: ['--require', 'tsx/cjs'] });
  let running = Number(workers);
  let left = Number(kills);
  cluster.on('exit', (worker, _code, signal) => {
    if (signal === 'SIGKILL') note({ dead: `${seed}/${worker.id}` });
    if (signal === 'SIGKILL') cluster.fork();
    else running--;
  });
  for (let forked = 0; forked < running; forked++) cluster.fork();
  await run(() => undefined, (done) => {
    if (left === 0 || done % Math.ceil(Number(operations) / (Number(kills) + 1)) !== 0) return;
    const alive = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true);
    const victim = alive[below(alive.length)];
    if (victim === undefined) return;
    left--;
    victim.process.kill('SIGKILL');
  });
}

/** Does the operations of this process. `step`: called after each. */
async function run(end: () => void, step: (done: number) => void = () => undefined): Promise<void> {
  const client = new RedisTestClient(socket);
  client.on('error', () => undefined);
  await client.connect();
  process.on('warning', () => undefined);
  const state = sharedState({ store: redisStore(client, { prefix: 'history' }), timeoutMs: 2000 });
  let done = 0;
  const half = Math.ceil(Number(operations) / 2);
  const chained = async (strand: number): Promise<void> => {
    const versions = new Map<string, number>();
    for (let n = 0; n < half; n++) {
      await operation(state, `${own}/${strand}/${n}`, versions);
      step(++done);
    }
  };
  await Promise.all([chained(0), chained(1), locks(state)]);
  state.close();
  client.destroy();
  end();
}

async function operation(state: SharedState, call: string, versions: Map<string, number>): Promise<void> {
  const key = KEYS[below(KEYS.length)] ?? '';
  const choice = below(10);
  const value = below(1000);
  const expected = versions.get(key) ?? 0;
  await noted(call, async () => {
    if (choice < 3) {
      note({ call, key, op: 'get' });
      const read = await state.get(key);
      versions.set(key, read?.version ?? 0);
      return read ?? null;
    }
    if (choice < 6) {
      note({ call, key, op: 'increment', by: 2 });
      return state.increment(key, 2);
    }
    if (choice < 7) {
      note({ call, key, op: 'set', value });
      return { version: await state.set(key, value) };
    }
    if (choice < 9) {
      note({ call, key, op: 'compareAndSet', expected, value });
      const result = await state.compareAndSet(key, expected, value);
      versions.set(key, result.version);
      return result;
    }
    note({ call, key, op: 'delete' });
    return { done: await state.delete(key) };
  });
}

/** Notes how a call ends: with its result; as undone; or not at all, if nobody knows. */
async function noted(call: string, ask: () => Promise<object | null>): Promise<void> {
  try {
    note({ call, result: await ask() });
  } catch (error) {
    const { code, maybeDone } = error as StateError;
    if (!code.startsWith('ERR_SHARED_STATE_')) throw error;
    if (maybeDone !== true) note({ call, undone: true });
    note({ error: code, maybeDone: maybeDone === true });
    // A store that is away answers at once.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Enters the critical section again and again: with a lease that is not renewed, and a write that the lease fences. */
async function locks(state: SharedState): Promise<void> {
  for (let n = 0; n < 10; n++) {
    try {
      const lease = await state.lock('lock', { ttlMs: 1000, timeoutMs: 20_000 });
      if (!lease.held) continue;
      const { token } = lease;
      const until = String(process.hrtime.bigint() + BigInt(Math.floor(lease.leftMs * 1e6)));
      note({ enter: own, token, until });
      await noted(`${own}/lock/${n}`, async () => {
        note({ call: `${own}/lock/${n}`, key: 'under lock', op: 'increment', by: 1, token });
        return state.increment('under lock', 1, { lease });
      });
      note({ leave: own, token });
      await lease.release();
    } catch (error) {
      const { code } = error as StateError;
      if (!code.startsWith('ERR_SHARED_STATE_')) throw error;
      note({ error: code });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
