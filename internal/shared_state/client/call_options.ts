/**
 * The options and results of the operations of the shared state, and how the options of a call are read.
 *
 * Used by  api.ts; lib/shared_state.ts exports the types
 * Keeps    each option is read once and before anything is sent, because it may be a getter of the app
 */
import { invalidArgType } from '../../errors';
import { ownOptions } from '../../own_options';
import { checkNumber, checkObject } from '../../validate';
import { checkTtl } from '../values';
import type { Fence } from '../protocol';
import { isSignal } from './abort_signals';
import { Lease } from './lock';
import type { CallOptions } from './pending_calls';

/** The value of a key, as a read returns it. */
export interface Read<Value = unknown> {
  readonly value: Value;
  /** The version of the write that stored this value. Each write of any key has a greater version than all writes before. */
  readonly version: number;
  /** Milliseconds until the key is removed; undefined: never. */
  readonly ttlMs: number | undefined;
}

/** The options of a write. */
export interface WriteOptions extends CallOptions {
  /** Milliseconds after which the primary removes the key. Default: never. */
  readonly ttlMs?: number | undefined;
  /** Write only if this lease is held at the moment when the primary writes; otherwise reject with ERR_SHARED_STATE_LEASE_LOST. */
  readonly lease?: Lease | undefined;
}

/** The options of `lock` and `withLock`. `timeoutMs`: milliseconds to wait for the lock; 0: do not wait. Default: Infinity. */
export interface LockOptions extends CallOptions {
  /** Milliseconds after which the lease ends if it is not renewed. Default: 10000. */
  readonly ttlMs?: number | undefined;
  /** Renew the lease in time, as long as the event loop of this process runs. Default: false for `lock`, true for `withLock`. */
  readonly autoRenew?: boolean | undefined;
}

/** The result of `compareAndSet`: the version that was written; or, if the key had another version, what it is (`current`; undefined: there is no such key). */
export type Comparison<Value = unknown> =
  | { readonly done: true; readonly version: number }
  | { readonly done: false; readonly version: number; readonly current: Read<Value> | undefined };

/** The result of `holder`. */
export interface Holder {
  /** The id of the worker that holds the lock; 0: the primary. */
  readonly holder: number;
  /** Of its lease. */
  readonly token: number;
  /** Milliseconds until its lease ends if it is not renewed. */
  readonly leftMs: number;
  /** The number of calls that wait for the lock. */
  readonly waiting: number;
}

/** Splits the options of a write: `call` for the client, `how` for the primary. Throws ERR_SHARED_STATE_LEASE_LOST. */
export function writing(options: WriteOptions): { call: CallOptions; how: { ttlMs?: number; fence?: Fence } } {
  const call = calling(options);
  const { ttlMs, lease } = ownOptions(options, ['ttlMs', 'lease']);
  if (ttlMs !== undefined) checkTtl('options.ttlMs', ttlMs);
  return { call, how: { ...(ttlMs !== undefined && { ttlMs }), ...fenced(lease) } };
}

/** What is sent of a lease. Throws ERR_SHARED_STATE_LEASE_LOST if it is not held. */
export function fenced(lease: Lease | undefined): { fence?: Fence } {
  if (lease === undefined) return {};
  if (!(lease instanceof Lease)) throw invalidArgType('options.lease', 'an instance of Lease', lease);
  lease.assertHeld();
  return { fence: { name: lease.name, token: lease.token } };
}

/** Checks and copies the options of a call. */
export function calling(options: CallOptions): CallOptions {
  checkObject('options', options);
  const read = ownOptions(options, ['signal', 'timeoutMs']);
  if (read.timeoutMs !== undefined) checkNumber('options.timeoutMs', read.timeoutMs, 0, Infinity);
  checkSignal(read.signal);
  return read;
}

/** Throws ERR_INVALID_ARG_TYPE unless the value is an AbortSignal or undefined. */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !isSignal(signal)) throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
}
