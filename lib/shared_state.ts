/**
 * State that all workers share, held by the primary: counters, sessions, flags, locks, a leader.
 *
 *   import { sharedState } from 'cluster-internals/shared_state';
 *   const state = sharedState();                       // in the primary, and in each worker
 *   const { value } = await state.increment('hits');
 *
 * Every operation is done by the primary, one after the other: linearizable. It lives as long as the
 * primary does; what must outlive that belongs in a database.
 *
 * Node     works on `node:cluster` as well: `sharedState({ cluster })`
 */
import type { Cluster } from 'node:cluster';
import { invalidArgType, nodeError } from '../internal/errors';
import type { SharedState } from '../internal/shared_state/api';
import type { Limits } from '../internal/shared_state/protocol';
import { checkNumber, mergeLimits } from '../internal/shared_state/values';

/** What `sharedState` gives, how its operations are asked and what they answer. */
export type { Comparison, Holder, LockOptions, Read, SharedState, WriteOptions } from '../internal/shared_state/api';
/** How long a call may take. */
export type { CallOptions } from '../internal/shared_state/contracts';
/** What `elect` gives. */
export type { Election } from '../internal/shared_state/election';
/** What `lock` gives. */
export type { Lease } from '../internal/shared_state/lease';
/** What the primary refuses beyond. */
export type { Limits } from '../internal/shared_state/protocol';
/** What `replica` gives. */
export type { Replica, ReplicaRead } from '../internal/shared_state/replica';
/** What a call rejects with. */
export type { StateError, StateErrorCode } from '../internal/shared_state/values';
/** What `watch` gives. */
export type { Watch, WatchEvent, WatchedEntry } from '../internal/shared_state/watch';

/** What `sharedState` takes. All of it may be left out. */
export interface SharedStateOptions {
  /** The cluster object: ours by default, which is `node:cluster` where ours is in its seat. */
  readonly cluster?: Cluster | undefined;
  /** What the primary refuses beyond; only the primary's count. */
  readonly limits?: Partial<Limits> | undefined;
  /** How long this process waits for an answer; 5 s by default. Waiting for a lock has no such end. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT = 5000;

/** One per cluster object, until it is closed. */
const opened = new WeakMap<Cluster, SharedState>();

/**
 * The shared state of this process. Call it in the primary too: that opens it for all workers,
 * whether they were forked before or will be. A second call gives the same object.
 *
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_INVALID_ARG_VALUE; ERR_INVALID_STATE for limits
 *         other than those it was opened with
 */
export function sharedState(options: SharedStateOptions = {}): SharedState {
  if (options === null || typeof options !== 'object') throw invalidArgType('options', 'of type object', options);
  const { cluster = ownCluster(), limits, timeoutMs = TIMEOUT } = options;
  if (cluster === null || typeof cluster !== 'object' || typeof cluster.on !== 'function' || typeof cluster.isPrimary !== 'boolean') {
    throw invalidArgType('options.cluster', 'a cluster object', cluster);
  }
  const merged = mergeLimits(limits);
  checkNumber('options.timeoutMs', timeoutMs, 0, Infinity);
  const before = opened.get(cluster);
  if (before !== undefined) {
    if (limits !== undefined) throw nodeError(Error, 'ERR_INVALID_STATE', 'The shared state is open: its limits cannot be changed');
    return before;
  }
  const closed = (): void => void opened.delete(cluster);
  let state: SharedState;
  // A worker needs no store, a primary no pipe: each loads its own side.
  if (cluster.isPrimary) {
    const { openInPrimary } = require('../internal/shared_state/primary') as typeof import('../internal/shared_state/primary');
    state = openInPrimary(cluster, merged, timeoutMs, closed);
  } else {
    const { openInWorker } = require('../internal/shared_state/worker') as typeof import('../internal/shared_state/worker');
    state = openInWorker(cluster, timeoutMs, closed);
  }
  opened.set(cluster, state);
  return state;
}

/** Loaded only where no cluster object is given: in a worker of a stock primary it would take the seat. */
function ownCluster(): Cluster {
  return require('./cluster') as typeof import('./cluster');
}
