/**
 * A store for `sharedState({ store })` in Redis, over a client of the npm package `redis` that the program brings:
 *
 *   const client = createClient({ url });                  // npm install redis
 *   client.on('error', (error) => console.error(error));
 *   await client.connect();
 *   const state = sharedState({ store: redisStore(client, { prefix: 'shop' }) });
 *
 * Copy this file and store.lua into a program, and import the types from 'cluster-internals/shared_state'. The package has
 * both files in test/examples/redis, but exports neither.
 *
 * Each operation is one run of the script store.lua, which Redis does at one moment. What Redis promises, this promises:
 * with one server, `appendonly yes` and `appendfsync always` an answered write survives a kill of the server. Without
 * them it may be lost: then the next call of each process that had seen it rejects with ERR_SHARED_STATE_LOST. It needs
 * `maxmemory-policy noeviction`. It is made for one server: a replica that takes over may lack answered writes.
 *
 * How a loss is noticed: Redis forgets scripts when it ends. So the first to call after a start is asked for the script,
 * and sends it with the flag `started`. The script then moves the counter of versions on, and remembers from where to
 * where. Each call carries the greatest version that this store object has seen: if that is between the two, it is lost.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { SharedStore, StoredEntry, StoredValue, StoreEvent, StoreWrite } from '../../../lib/shared_state';

/** Of a client of the package `redis` (4 or later), what is used here. */
export interface RedisClient {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  duplicate(): RedisSubscriber;
}

/** The second client, for the hints: a connection that subscribes cannot do anything else. */
export interface RedisSubscriber {
  on(event: 'error' | 'ready', listener: (error?: unknown) => void): unknown;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  /** Of version 4: ends the connection at once. */
  disconnect?(): Promise<unknown>;
  /** The same of version 5. */
  destroy?(): void;
}

const SCRIPT = readFileSync(path.join(__dirname, 'store.lua'), 'utf8');
const SHA1 = createHash('sha1').update(SCRIPT).digest('hex');

/**
 * Errors with which Redis refuses a script before it runs, or at its first write: it is full, a replica, cannot write its
 * disk, has too few replicas. Whatever else fails may have been done.
 */
const NOT_RUN = /^(?:NOSCRIPT|LOADING|BUSY|NOAUTH|NOPERM|WRONGTYPE|MASTERDOWN|OOM|READONLY|MISCONF|NOREPLICAS|ERR Protocol error: unauthenticated) /;

const isNoScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');

const coded = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/**
 * Makes a store.
 *
 * @param client          a connected client, which stays the program's
 * @param options.prefix  of the keys in Redis: all stores with this prefix are one. Braces keep them in one slot
 * @throws TypeError      for what is no such client, and without a prefix
 */
export function redisStore(client: RedisClient, { prefix }: { prefix: string }): SharedStore {
  for (const method of ['eval', 'evalSha', 'duplicate'] as const) {
    if (typeof client?.[method] !== 'function') throw new TypeError(`The client has no method '${method}'. It must be one of the package redis, version 4 or later`);
  }
  if (typeof prefix !== 'string' || prefix === '') throw new TypeError('options.prefix must be a text that is not empty');
  const keys = ['meta', 'keys', 'locks', 'deadlines', 'log', 'starts'].map((name) => `{${prefix}}:${name}`);
  const channel = `{${prefix}}:changed`;
  /** The greatest version that this object has had an answer with. */
  let seen = 0;

  const run = async (op: string, args: readonly string[], started = '0'): Promise<unknown> => {
    const options = { keys, arguments: [op, String(seen), started, channel, ...args] };
    return started === '1' ? client.eval(SCRIPT, options) : client.evalSha(SHA1, options);
  };

  /** Runs one operation. Resolves to what follows the revision in the script's reply, with the status first. */
  const ask = async (op: string, ...args: string[]): Promise<string[]> => {
    const reply = await run(op, args).catch((error: unknown) => {
      if (!isNoScript(error)) throw error;
      return run(op, args, '1');
    }).catch((error: unknown) => {
      if (error instanceof Error && NOT_RUN.test(error.message)) Object.assign(error, { maybeDone: false });
      throw error;
    });
    if (!Array.isArray(reply)) throw new Error(`Redis has answered '${op}' with ${String(reply)}`);
    const [status = '', revision, ...rest] = reply.map(String);
    if (!Number.isSafeInteger(Number(revision))) throw new Error(`Redis has answered '${op}' with ${JSON.stringify(reply)}`);
    seen = Math.max(seen, Number(revision));
    switch (status) {
      case 'lost': throw coded('ERR_SHARED_STATE_LOST', 'Redis does not have what it had: it was flushed, or has started with older data');
      case 'lease': throw coded('ERR_SHARED_STATE_LEASE_LOST', 'The lease has run out or was released');
      case 'nan': throw coded('ERR_SHARED_STATE_NOT_A_NUMBER', `The value of '${args[0] ?? ''}' ${rest[0] ?? ''}`);
      default: return [status, ...rest];
    }
  };

  const writing = ({ ttlMs, fence }: StoreWrite): string[] => [ttlMs === undefined ? '' : String(ttlMs), ...fenced({ fence })];
  const fenced = ({ fence }: Pick<StoreWrite, 'fence'>): string[] => (fence === undefined ? ['', ''] : [fence.name, String(fence.token)]);

  return {
    get: async (key) => valueOf(await ask('get', key)),
    set: async (key, text, how) => Number((await ask('set', key, text, ...writing(how)))[1]),
    compareAndSet: async (key, version, text, how) => {
      const reply = await ask('compareAndSet', key, String(version), text, ...writing(how));
      return reply[0] === 'ok' ? { done: true, version: Number(reply[1]) } : { done: false, current: valueOf(reply) };
    },
    increment: async (key, by, how) => {
      const value = valueOf(await ask('increment', key, String(by), ...writing(how)));
      if (value === undefined) throw new Error('Redis has not answered with the sum');
      return value;
    },
    delete: async (key, how) => (await ask('delete', key, how.version === undefined ? '' : String(how.version), ...fenced(how)))[0] === 'ok',
    acquire: async (name, ttlMs) => {
      const [status, number] = await ask('acquire', name, String(ttlMs));
      return status === 'ok' ? { token: Number(number) } : { leftMs: Math.max(0, Number(number)) };
    },
    renew: async (name, token, ttlMs) => void await ask('renew', name, String(token), String(ttlMs)),
    release: async (name, token) => (await ask('release', name, String(token)))[0] === 'ok',
    list: async (under) => {
      const [, ...rest] = await ask('list', under);
      const version = Number(rest.pop());
      return { entries: inGroups(rest, 3).map(([key = '', text = '', written]): StoredEntry => ({ key, text, version: Number(written) })), version };
    },
    changes: async (under, since, most) => {
      const [status, version, ...rest] = await ask('changes', under, since === undefined ? '' : String(since), String(most));
      if (status !== 'ok') return undefined;
      const events = inGroups(rest, 4).map(([kind, key = '', text = '', written]): StoreEvent =>
        ({ key, version: Number(written), ...(kind === 's' ? { text } : { gone: kind === 'e' ? 'expired' : 'deleted' }) }));
      return { events, version: Number(version) };
    },
    watch: (changed) => {
      let ended = false;
      const hint = (): void => {
        if (!ended) changed();
      };
      const subscriber = client.duplicate();
      subscriber.on('error', () => undefined); // It connects again by itself, and the program's own client reports the same.
      subscriber.on('ready', hint); // Something may have changed while there was no connection.
      const end = (): void => {
        if (subscriber.destroy !== undefined) subscriber.destroy();
        else subscriber.disconnect?.().catch(() => undefined);
      };
      const ready = subscriber.connect().then(() => subscriber.subscribe(channel, hint)).then(hint);
      // Without hints each event is up to a second late. Nothing is lost.
      ready.catch(() => undefined);
      return () => {
        ended = true;
        end();
      };
    },
  };
}

/** The value in a reply `[status, text, version, ttlMs]`, if there is one. */
function valueOf([, text, version, ttlMs]: readonly string[]): StoredValue | undefined {
  if (text === undefined) return undefined;
  return { text, version: Number(version), ...(ttlMs !== '' && { ttlMs: Math.max(0, Number(ttlMs)) }) };
}

function inGroups(all: readonly string[], size: number): (readonly string[])[] {
  return Array.from({ length: Math.floor(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));
}
