/**
 * The class SharedState: the operations that a program calls, the same in a primary and in a worker. It checks the
 * arguments, asks the client, and makes the result.
 *
 * Used by  lib/shared_state.ts; worker.ts, server/primary.ts and store/open.ts, which make the object
 * Uses     client.ts for each call; call_options.ts; watch.ts, replica.ts, lock.ts, election.ts for the objects that it returns
 * Keeps    arguments are read before anything is sent, each property once. If a getter or proxy of the program
 *          throws, the call rejects with that error, and nothing was done
 */
import { invalidArgType } from '../../errors';
import { ownOptions } from '../../own_options';
import { calling, checkSignal, fenced, writing, type Comparison, type Holder, type LockOptions, type Read, type WriteOptions } from './call_options';
import type { StateClient } from './client';
import { Election } from './election';
import { Lease } from './lock';
import type { CallOptions } from './pending_calls';
import type { ResultOf } from '../protocol';
import { Replica } from './replica';
import { checkInteger, checkNumber, checkObject, checkString } from '../../validate';
import { checkBytes, checkTtl, encode, stateError } from '../values';
import { Watch } from './watch';

/** Milliseconds. A holder that hangs blocks the others for so long; one that renews loses its lease only if its event loop is blocked for most of it. */
const LEASE_MS = 10_000;

/**
 * The state that a primary and its workers share; `sharedState()` returns it.
 *
 * Each method that returns a promise can reject with ERR_SHARED_STATE_TIMEOUT, _DISCONNECTED or _CLOSED, with a store also
 * with ERR_SHARED_STATE_STORE or _LOST (then see `maybeDone`), with ERR_SHARED_STATE_LIMIT, with the reason of `options.signal`, and with ERR_INVALID_ARG_TYPE,
 * ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE for wrong arguments. Its comment names only further errors.
 */
export class SharedState {
  readonly #client: StateClient;
  readonly #close: () => void;

  constructor(client: StateClient, close: () => void) {
    this.#client = client;
    this.#close = close;
  }

  /**
   * Reads a key.
   *
   * @returns  the key as it was at one moment between the call and its answer; undefined if there was none
   */
  async get<Value = unknown>(key: string, options: CallOptions = {}): Promise<Read<Value> | undefined> {
    this.#checkKey(key);
    return this.#client.call({ op: 'get', key }, calling(options), (result) => this.#read<Value>(result));
  }

  /**
   * Writes a key.
   *
   * @param value  anything that JSON holds without a change
   * @returns      the new version
   * @throws       ERR_SHARED_STATE_VALUE, ERR_SHARED_STATE_LEASE_LOST
   */
  async set(key: string, value: unknown, options: WriteOptions = {}): Promise<number> {
    this.#checkKey(key);
    const text = encode(value, this.#client.limits);
    const { call, how } = writing(options);
    return this.#client.call({ op: 'set', key, text, ...how }, call, ({ version }) => version);
  }

  /**
   * Removes a key.
   *
   * @param options.version  remove it only if it has this version
   * @param options.lease    remove it only if this lease is held
   * @returns                was it removed?
   * @throws                 ERR_SHARED_STATE_LEASE_LOST
   */
  async delete(key: string, options: CallOptions & { version?: number | undefined; lease?: Lease | undefined } = {}): Promise<boolean> {
    this.#checkKey(key);
    const call = calling(options);
    const { version, lease } = ownOptions(options, ['version', 'lease']);
    if (version !== undefined) checkInteger('options.version', version, 0, Number.MAX_SAFE_INTEGER);
    const how = { ...(version !== undefined && { version }), ...fenced(lease) };
    return this.#client.call({ op: 'delete', key, ...how }, call, ({ done }) => done);
  }

  /**
   * Adds to the number of a key. A key that does not exist counts as 0.
   *
   * @param options.ttlMs  used only if this call creates the key; otherwise the key keeps its end
   * @returns              the sum and its version
   * @throws               ERR_SHARED_STATE_NOT_A_NUMBER, ERR_SHARED_STATE_LEASE_LOST
   */
  async increment(key: string, by = 1, options: WriteOptions = {}): Promise<{ value: number; version: number }> {
    this.#checkKey(key);
    checkNumber('by', by, -Number.MAX_VALUE, Number.MAX_VALUE);
    const { call, how } = writing(options);
    return this.#client.call({ op: 'increment', key, by, ...how }, call, ({ text, version }) => ({ value: Number(text), version }));
  }

  /**
   * Writes a key if nobody has written it since.
   *
   * @param expected  the version that the key must have; 0: the key must not exist
   * @throws          ERR_SHARED_STATE_VALUE, ERR_SHARED_STATE_LEASE_LOST
   */
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

  /**
   * Watches all keys that begin with a prefix.
   *
   * @param options.since   the version after which to begin; 'now': with later events only. Default: with a 'reset' event
   * @param options.signal  ends the watch: its iteration throws the reason
   * @returns               an async iterable of events; see `Watch`
   * @throws                ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   */
  watch(prefix: string, options: { since?: number | 'now' | undefined; signal?: AbortSignal | undefined } = {}): Watch {
    checkString('prefix', prefix);
    checkObject('options', options);
    const { since, signal } = ownOptions(options, ['since', 'signal']);
    if (since !== undefined && since !== 'now') checkInteger('options.since', since, 0, Number.MAX_SAFE_INTEGER);
    checkSignal(signal);
    return new Watch(this.#client, prefix, since, signal);
  }

  /**
   * Keeps a copy of all keys that begin with a prefix in this process.
   *
   * @returns  the copy, as soon as it is complete; see `Replica`
   * @throws   ERR_INVALID_ARG_TYPE, before a promise is returned
   */
  replica(prefix: string): Promise<Replica> {
    checkString('prefix', prefix);
    return new Replica(this.#client, prefix).ready;
  }

  /**
   * Waits for a lock and takes it. In a primary the calls that wait get it in their order, in a store in any order.
   *
   * @returns  the lease: the right to hold the lock for `ttlMs`, or longer if it is renewed
   * @throws   ERR_SHARED_STATE_LOCKED if `timeoutMs` is 0 and another caller holds the lock
   */
  async lock(name: string, options: LockOptions = {}): Promise<Lease> {
    return this.#lock(name, options, false);
  }

  /**
   * Takes a lock, calls `body`, and releases the lock when the promise of `body` is settled. The lease is renewed until
   * then. If it is lost all the same, `lease.signal` is aborted: pass it to what must stop then.
   *
   * @returns  what `body` returns
   * @throws   what `body` throws; ERR_SHARED_STATE_LOCKED
   */
  async withLock<Outcome>(name: string, body: (lease: Lease) => Outcome | Promise<Outcome>, options: LockOptions = {}): Promise<Outcome> {
    if (typeof body !== 'function') throw invalidArgType('body', 'of type function', body);
    const lease = await this.#lock(name, options, true);
    try {
      return await body(lease);
    } finally {
      // It fails if the connection is lost: then the primary has freed the lock. A store frees it after `ttlMs`.
      await lease.release().catch(() => false);
    }
  }

  /**
   * Looks who holds a lock.
   *
   * @returns  undefined if the lock is free
   * @throws   ERR_SHARED_STATE_UNSUPPORTED if the shared state is in a store
   */
  async holder(name: string, options: CallOptions = {}): Promise<Holder | undefined> {
    checkString('name', name);
    return this.#client.call({ op: 'holder', name }, calling(options), (lock): Holder | undefined => {
      if (lock.holder === undefined) return undefined;
      const { holder, token, expiresAt, waiting } = lock;
      return { holder, token, leftMs: Math.max(0, expiresAt - this.#client.clock.now()), waiting };
    });
  }

  /**
   * Makes this process a candidate for a leader. The leader is the holder of the lock `name`.
   *
   * @param options.ttlMs  milliseconds after which another process leads if the leader's event loop is blocked. Default: 10000
   * @returns              an EventEmitter; see `Election`
   * @throws               ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE
   */
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

  /**
   * Closes the shared state in this process: its leases and watches end, and its calls reject with
   * ERR_SHARED_STATE_CLOSED. In a primary it is closed for all processes, and all keys are lost. A store keeps its keys,
   * and belongs to the program, which closes it.
   */
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
    // The Lease is made while the answer is handled, not after an `await`: the connection may be lost in between.
    return this.#client.call({ op: 'lock', name, ttlMs, wait }, { signal, ...(wait && { timeoutMs }) }, (lock) => {
      if (lock.token === undefined) throw stateError('ERR_SHARED_STATE_LOCKED', `Another caller holds the lock '${name}'`);
      return new Lease(this.#client, { name, token: lock.token }, lock.expiresAt, ttlMs, autoRenew);
    });
  }

  #read<Value>({ text, version, expiresAt }: ResultOf<'get'>): Read<Value> | undefined {
    if (text === undefined) return undefined;
    const ttlMs = expiresAt === undefined ? undefined : Math.max(0, expiresAt - this.#client.clock.now());
    return { value: JSON.parse(text) as Value, version, ttlMs };
  }
}
