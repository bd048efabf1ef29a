/**
 * What a program holds: the operations of the shared state, the same in a primary and in a worker.
 * Here arguments are looked at, and results get their shape.
 *
 * Keeps    what the caller gives is read before anything is done, each property once: an option, a getter
 *          of a value or a proxy that throws rejects the call, which has done nothing then
 *
 * Used by  lib/shared_state.ts
 * Uses     client.ts for every question; watch.ts, replica.ts, lock.ts, election.ts for what lasts
 */
import { invalidArgType } from '../../errors';
import { ownOptions } from '../../own_options';
import type { StateClient } from './client';
import { Election } from './election';
import { Lease } from './lock';
import type { CallOptions } from './pending_calls';
import type { Fence, ResultOf } from '../protocol';
import { Replica } from './replica';
import { isSignal } from './abort_signals';
import { checkInteger, checkNumber, checkObject, checkString } from '../../validate';
import { checkBytes, checkTtl, encode, stateError } from '../values';
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
    return this.#client.call({ op: 'get', key }, calling(options), (result) => this.#read<Value>(result));
  }

  /** Writes a key; its new version. */
  async set(key: string, value: unknown, options: WriteOptions = {}): Promise<number> {
    this.#checkKey(key);
    const text = encode(value, this.#client.limits);
    const { call, how } = writing(options);
    return this.#client.call({ op: 'set', key, text, ...how }, call, ({ version }) => version);
  }

  /** Takes a key out, with `version` only if it still has that one; was it there? */
  async delete(key: string, options: CallOptions & { version?: number | undefined; lease?: Lease | undefined } = {}): Promise<boolean> {
    this.#checkKey(key);
    const call = calling(options);
    const { version, lease } = ownOptions(options, ['version', 'lease']);
    if (version !== undefined) checkInteger('options.version', version, 0, Number.MAX_SAFE_INTEGER);
    const how = { ...(version !== undefined && { version }), ...fenced(lease) };
    return this.#client.call({ op: 'delete', key, ...how }, call, ({ done }) => done);
  }

  /** Adds to a number; an absent key is 0. The sum and its version. `ttlMs` counts only for the call that makes the key. */
  async increment(key: string, by = 1, options: WriteOptions = {}): Promise<{ value: number; version: number }> {
    this.#checkKey(key);
    checkNumber('by', by, -Number.MAX_VALUE, Number.MAX_VALUE);
    const { call, how } = writing(options);
    return this.#client.call({ op: 'increment', key, by, ...how }, call, ({ text, version }) => ({ value: Number(text), version }));
  }

  /** Writes a key if its version is `expected`; 0: if there is none. */
  async compareAndSet<Value = unknown>(key: string, expected: number, value: unknown, options: WriteOptions = {}): Promise<Comparison<Value>> {
    this.#checkKey(key);
    checkInteger('expected', expected, 0, Number.MAX_SAFE_INTEGER);
    const text = encode(value, this.#client.limits);
    const { call, how } = writing(options);
    return this.#client.call({ op: 'compareAndSet', key, version: expected, text, ...how }, call, (result): Comparison<Value> => {
      const { done, version } = result;
      return done ? { done, version } : { done, version, current: this.#read<Value>(result) };
    });
  }

  /** Everything that happens under a prefix, as an async iterable; see `Watch`. */
  watch(prefix: string, options: { since?: number | 'now' | undefined; signal?: AbortSignal | undefined } = {}): Watch {
    checkString('prefix', prefix);
    checkObject('options', options);
    const { since, signal } = ownOptions(options, ['since', 'signal']);
    if (since !== undefined && since !== 'now') checkInteger('options.since', since, 0, Number.MAX_SAFE_INTEGER);
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
    return this.#lock(name, options, false);
  }

  /** Runs `body` while this caller holds `name`, renewed until it ends. `lease.signal` tells it if the lock is lost all the same. */
  async withLock<Outcome>(name: string, body: (lease: Lease) => Outcome | Promise<Outcome>, options: LockOptions = {}): Promise<Outcome> {
    if (typeof body !== 'function') throw invalidArgType('body', 'of type function', body);
    const lease = await this.#lock(name, options, true);
    try {
      return await body(lease);
    } finally {
      await lease.release().catch(() => false); // Lost with the connection: free as well.
    }
  }

  /** Who holds a lock; undefined if nobody does. */
  async holder(name: string, options: CallOptions = {}): Promise<Holder | undefined> {
    checkString('name', name);
    return this.#client.call({ op: 'holder', name }, calling(options), (lock): Holder | undefined => {
      if (lock.holder === undefined) return undefined;
      const { holder, token, expiresAt, waiting } = lock;
      return { holder, token, leftMs: Math.max(0, expiresAt - this.#client.clock.now()), waiting };
    });
  }

  /** Takes part in the election of the leader `name`; see `Election`. Its lease is a lock of that name. */
  elect(name: string, options: { ttlMs?: number | undefined } = {}): Election {
    checkString('name', name);
    checkObject('options', options);
    const { ttlMs = LEASE_MS } = ownOptions(options, ['ttlMs']);
    checkTtl('options.ttlMs', ttlMs);
    return new Election({
      name,
      lock: (signal) => this.lock(name, { ttlMs, autoRenew: true, signal }),
      over: () => this.#client.ended,
      pause: (ms, signal) => this.#client.pause(ms, signal),
    });
  }

  /** Ends it in this process: leases, watches and calls. In a primary: for all, and what it held is gone. */
  close(): void {
    this.#close();
  }

  #checkKey(key: unknown): void {
    checkBytes('The key', checkString('key', key), this.#client.limits, 'keyBytes');
  }

  async #lock(name: string, options: LockOptions, renewed: boolean): Promise<Lease> {
    checkString('name', name);
    checkBytes('The name of the lock', name, this.#client.limits, 'keyBytes');
    const { signal, timeoutMs = Infinity } = calling(options);
    const { ttlMs = LEASE_MS, autoRenew = renewed } = ownOptions(options, ['ttlMs', 'autoRenew']);
    checkTtl('options.ttlMs', ttlMs);
    const wait = timeoutMs > 0;
    // The lease begins as the grant comes, not when this function goes on: the connection may be lost in between.
    return this.#client.call({ op: 'lock', name, ttlMs, wait }, { signal, ...(wait && { timeoutMs }) }, (lock) => {
      if (lock.token === undefined) throw stateError('ERR_SHARED_STATE_LOCKED', `Somebody else holds the lock '${name}'`);
      return new Lease(this.#client, { name, token: lock.token }, lock.expiresAt, ttlMs, autoRenew);
    });
  }

  #read<Value>({ text, version, expiresAt }: ResultOf<'get'>): Read<Value> | undefined {
    if (text === undefined) return undefined;
    const ttlMs = expiresAt === undefined ? undefined : Math.max(0, expiresAt - this.#client.clock.now());
    return { value: JSON.parse(text) as Value, version, ttlMs };
  }
}

/** The options of a write: those of the call, and those that the wire has. A lease that ran out is refused here already. */
function writing(options: WriteOptions): { call: CallOptions; how: { ttlMs?: number; fence?: Fence } } {
  const call = calling(options);
  const { ttlMs, lease } = ownOptions(options, ['ttlMs', 'lease']);
  if (ttlMs !== undefined) checkTtl('options.ttlMs', ttlMs);
  return { call, how: { ...(ttlMs !== undefined && { ttlMs }), ...fenced(lease) } };
}

function fenced(lease: Lease | undefined): { fence?: Fence } {
  if (lease === undefined) return {};
  if (!(lease instanceof Lease)) throw invalidArgType('options.lease', 'an instance of Lease', lease);
  lease.assertHeld();
  return { fence: { name: lease.name, token: lease.token } };
}

/** A copy of a call's options, each read once: the caller's may have getters. */
function calling(options: CallOptions): CallOptions {
  checkObject('options', options);
  const read = ownOptions(options, ['signal', 'timeoutMs']);
  if (read.timeoutMs !== undefined) checkNumber('options.timeoutMs', read.timeoutMs, 0, Infinity);
  checkSignal(read.signal);
  return read;
}

function checkSignal(signal: unknown): void {
  if (signal !== undefined && !isSignal(signal)) throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
}
