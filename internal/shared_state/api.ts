/**
 * What a program holds: the operations of the shared state, the same in a primary and in a worker.
 * Here arguments are looked at, and results get their shape.
 *
 * Used by  lib/shared_state.ts
 * Uses     client.ts for every question; watch.ts, replica.ts, lease.ts, election.ts for what lasts
 */
import { invalidArgType } from '../errors';
import type { StateClient } from './client';
import type { CallOptions } from './contracts';
import { Election } from './election';
import { Lease } from './lease';
import type { Fence, Result } from './protocol';
import { Replica } from './replica';
import { checkBytes, checkNumber, checkString, checkTtl, encode, stateError } from './values';
import { Watch } from './watch';

/** What was read: the value, the version of the write that made it, and how long it stays. */
export interface Read<Value = unknown> {
  readonly value: Value;
  readonly version: number;
  /** undefined: until it is deleted. */
  readonly ttlMs: number | undefined;
}

/** How to write. */
export interface WriteOptions extends CallOptions {
  /** The key is gone after so many milliseconds. Without it the key stays. */
  readonly ttlMs?: number | undefined;
  /** Only if this lease is held when the primary writes; else ERR_SHARED_STATE_LEASE_LOST. */
  readonly lease?: Lease | undefined;
}

/** How to lock. `timeoutMs`: how long to wait for it, Infinity by default, 0: not at all. */
export interface LockOptions extends CallOptions {
  /** How long the lease is held unless it is renewed; 10 s by default. */
  readonly ttlMs?: number | undefined;
  /** Renews it in time, as long as the event loop turns. */
  readonly autoRenew?: boolean | undefined;
}

/** What compareAndSet did: written, or what is there instead (undefined: nothing). */
export type Comparison<Value = unknown> =
  | { readonly done: true; readonly version: number }
  | { readonly done: false; readonly version: number; readonly current: Read<Value> | undefined };

/** Who holds a lock: a worker's id, 0 for the primary. */
export interface Holder {
  readonly holder: number;
  readonly token: number;
  readonly leftMs: number;
  /** How many wait for it. */
  readonly waiting: number;
}

const LEASE_MS = 10_000;

/** The state that a primary and its workers share. */
export class SharedState {
  readonly #client: StateClient;
  readonly #close: () => void;

  constructor(client: StateClient, close: () => void) {
    this.#client = client;
    this.#close = close;
  }

  /** What a key is, as of some moment during this call; undefined if there is none. */
  async get<Value = unknown>(key: string, options: CallOptions = {}): Promise<Read<Value> | undefined> {
    this.#checkKey(key);
    return this.#read<Value>(await this.#client.call({ op: 'get', key }, checked(options)));
  }

  /** Writes a key; its new version. */
  async set(key: string, value: unknown, options: WriteOptions = {}): Promise<number> {
    this.#checkKey(key);
    const text = this.#encode(value);
    const { version = 0 } = await this.#client.call({ op: 'set', key, text, ...writing(options) }, options);
    return version;
  }

  /** Takes a key out, with `version` only if it still has that one; was it there? */
  async delete(key: string, options: CallOptions & { version?: number | undefined; lease?: Lease | undefined } = {}): Promise<boolean> {
    this.#checkKey(key);
    const { version } = options;
    if (version !== undefined) checkNumber('options.version', version, 0, Number.MAX_SAFE_INTEGER, true);
    const { fence } = writing({ lease: options.lease });
    const given = { ...(version !== undefined && { version }), ...(fence && { fence }) };
    return (await this.#client.call({ op: 'delete', key, ...given }, checked(options))).done === true;
  }

  /** Adds to a number; an absent key is 0. The sum and its version. `ttlMs` counts only for the call that makes the key. */
  async increment(key: string, by = 1, options: WriteOptions = {}): Promise<{ value: number; version: number }> {
    this.#checkKey(key);
    checkNumber('by', by, -Number.MAX_VALUE, Number.MAX_VALUE);
    const { text = '0', version = 0 } = await this.#client.call({ op: 'increment', key, by, ...writing(options) }, options);
    return { value: Number(text), version };
  }

  /** Writes a key if its version is `expected`; 0: if there is none. */
  async compareAndSet<Value = unknown>(key: string, expected: number, value: unknown, options: WriteOptions = {}): Promise<Comparison<Value>> {
    this.#checkKey(key);
    checkNumber('expected', expected, 0, Number.MAX_SAFE_INTEGER, true);
    const text = this.#encode(value);
    const result = await this.#client.call({ op: 'compareAndSet', key, version: expected, text, ...writing(options) }, options);
    const { version = 0 } = result;
    return result.done === true ? { done: true, version } : { done: false, version, current: this.#read<Value>(result) };
  }

  /** Everything that happens under a prefix, as an async iterable; see `Watch`. */
  watch(prefix: string, options: { since?: number | 'now' | undefined; signal?: AbortSignal | undefined } = {}): Watch {
    checkString('prefix', prefix);
    const { since, signal } = options;
    if (since !== undefined && since !== 'now') checkNumber('options.since', since, 0, Number.MAX_SAFE_INTEGER, true);
    checkSignal(signal);
    return new Watch(this.#client, prefix, since, signal);
  }

  /** A copy of what is under a prefix, kept up to date in this process; see `Replica`. */
  replica(prefix: string): Promise<Replica> {
    checkString('prefix', prefix);
    return new Replica(this.#client, prefix).ready;
  }

  /** Waits until this caller is the only one that holds `name`. */
  async lock(name: string, options: LockOptions = {}): Promise<Lease> {
    checkString('name', name);
    checkBytes('The name of the lock', name, this.#client.limits, 'keyBytes');
    const { ttlMs = LEASE_MS, autoRenew = false, timeoutMs = Infinity, signal } = checked(options);
    checkTtl('options.ttlMs', ttlMs);
    const wait = timeoutMs > 0;
    const { token, expiresAt = 0 } = await this.#client.call({ op: 'lock', name, ttlMs, wait }, { signal, ...(wait && { timeoutMs }) });
    if (token === undefined) throw stateError('ERR_SHARED_STATE_LOCKED', `Somebody else holds the lock '${name}'`);
    return new Lease(this.#client, { name, token }, expiresAt, ttlMs, autoRenew);
  }

  /** Runs `body` while this caller holds `name`, renewed until it ends. `lease.signal` tells it if the lock is lost all the same. */
  async withLock<Outcome>(name: string, body: (lease: Lease) => Outcome | Promise<Outcome>, options: LockOptions = {}): Promise<Outcome> {
    const lease = await this.lock(name, { autoRenew: true, ...options });
    try {
      return await body(lease);
    } finally {
      await lease.release().catch(() => false); // Lost with the connection: free as well.
    }
  }

  /** Who holds a lock; undefined if nobody does. */
  async holder(name: string, options: CallOptions = {}): Promise<Holder | undefined> {
    checkString('name', name);
    const { holder, token, expiresAt = 0, waiting = 0 } = await this.#client.call({ op: 'holder', name }, checked(options));
    if (holder === undefined || token === undefined) return undefined;
    return { holder, token, leftMs: Math.max(0, expiresAt - this.#client.clock.now()), waiting };
  }

  /** Takes part in the election of the leader `name`; see `Election`. Its lease is a lock of that name. */
  elect(name: string, options: { ttlMs?: number | undefined } = {}): Election {
    checkString('name', name);
    const { ttlMs = LEASE_MS } = options;
    checkTtl('options.ttlMs', ttlMs);
    return new Election({
      lock: (signal) => this.lock(name, { ttlMs, autoRenew: true, signal }),
      over: () => this.#client.ended,
    });
  }

  /** Ends it in this process: leases, watches and calls. In a primary: for all, and what it held is gone. */
  close(): void {
    this.#close();
  }

  #checkKey(key: unknown): void {
    checkString('key', key);
    checkBytes('The key', key, this.#client.limits, 'keyBytes');
  }

  #encode(value: unknown): string {
    const text = encode(value);
    checkBytes('The value', text, this.#client.limits, 'valueBytes');
    return text;
  }

  #read<Value>({ text, version = 0, expiresAt }: Result): Read<Value> | undefined {
    if (text === undefined) return undefined;
    const ttlMs = expiresAt === undefined ? undefined : Math.max(0, expiresAt - this.#client.clock.now());
    return { value: JSON.parse(text) as Value, version, ttlMs };
  }
}

/** The options of a write as the wire has them. A lease that ran out is refused here already. */
function writing(options: WriteOptions): { ttlMs?: number; fence?: Fence } {
  const { ttlMs, lease } = checked(options);
  if (ttlMs !== undefined) checkTtl('options.ttlMs', ttlMs);
  if (lease === undefined) return { ...(ttlMs !== undefined && { ttlMs }) };
  if (!(lease instanceof Lease)) throw invalidArgType('options.lease', 'an instance of Lease', lease);
  lease.assertHeld();
  return { ...(ttlMs !== undefined && { ttlMs }), fence: { name: lease.name, token: lease.token } };
}

/** The options themselves, if they are any. */
function checked<Options extends CallOptions>(options: Options): Options {
  if (options === null || typeof options !== 'object') throw invalidArgType('options', 'of type object', options);
  if (options.timeoutMs !== undefined) checkNumber('options.timeoutMs', options.timeoutMs, 0, Infinity);
  checkSignal(options.signal);
  return options;
}

function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
}
