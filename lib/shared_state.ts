/**
 * State that all workers share, held by the primary: counters, sessions, flags, locks, a leader.
 *
 *   import { sharedState } from 'cluster-internals/shared_state';
 *   const state = sharedState();                       // in the primary, and in each worker
 *   const { value } = await state.increment('hits');
 *
 * Every operation is done by the primary, one after the other: linearizable. It lives as long as the
 * primary does; what must outlive that belongs in a database. There is one store for a primary and all
 * that descends from it: where that cannot be reached, `sharedState()` throws.
 *
 * Node     works on `node:cluster` as well: `sharedState({ cluster })`
 */
import type { Cluster } from 'node:cluster';
import { invalidArgType, nodeError } from '../internal/errors';
import { ownOptions } from '../internal/own_options';
import type { SharedState } from '../internal/shared_state/client/api';
import type { Limits } from '../internal/shared_state/protocol';
import { checkOrigin, mark, openedHere, sameCluster, unmark } from '../internal/shared_state/client/origin';
import { mergeLimits, stateError } from '../internal/shared_state/values';
import { checkBoolean, checkNumber, checkObject } from '../internal/validate';

/** What `sharedState` gives, how its operations are asked and what they answer. */
export type { Comparison, Holder, LockOptions, Read, SharedState, WriteOptions } from '../internal/shared_state/client/api';
/** How long a call may take. */
export type { CallOptions } from '../internal/shared_state/client/pending_calls';
/** What `elect` gives. */
export type { Election } from '../internal/shared_state/client/election';
/** What `lock` gives. */
export type { Lease } from '../internal/shared_state/client/lock';
/** What the primary refuses beyond. */
export type { Limits } from '../internal/shared_state/protocol';
/** What `replica` gives. */
export type { Replica, ReplicaRead } from '../internal/shared_state/client/replica';
/** What a call rejects with. */
export type { StateError, StateErrorCode } from '../internal/shared_state/values';
/** What `watch` gives. */
export type { Watch, WatchEvent, WatchedEntry } from '../internal/shared_state/client/watch';

/** What `sharedState` takes. All of it may be left out. */
export interface SharedStateOptions {
  /** The cluster object: that of the shared state which is open in this process; else ours, which is `node:cluster` where ours is in its seat. */
  readonly cluster?: Cluster | undefined;
  /** What the primary refuses beyond; only the primary's count. */
  readonly limits?: Partial<Limits> | undefined;
  /** How many milliseconds this process waits for an answer; 5000 by default. Waiting for a lock has no such end. */
  readonly timeoutMs?: number | undefined;
  /**
   * Opens a store that has nothing to do with any other, also where that would be refused: in a worker
   * thread, in a process that a primary or worker has started, for a second cluster of one process.
   */
  readonly separate?: boolean | undefined;
}

const TIMEOUT = 5000;

/**
 * The shared state of this process. Call it in the primary too: that opens it for all workers,
 * whether they were forked before or will be. A second call gives the same object, and so does a
 * second copy of this module.
 *
 * @throws ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE, ERR_INVALID_ARG_VALUE; ERR_INVALID_STATE for limits
 *         other than those it was opened with; ERR_SHARED_STATE_UNREACHABLE where the one store is
 *         elsewhere and cannot be reached: in a worker thread, and in a process that is no worker and
 *         was started by a primary or worker with a shared state
 */
export function sharedState(options: SharedStateOptions = {}): SharedState {
  checkObject('options', options);
  const { cluster: given, limits, timeoutMs = TIMEOUT, separate = false } = ownOptions(options, ['cluster', 'limits', 'timeoutMs', 'separate']);
  if (given !== undefined && !isCluster(given)) throw invalidArgType('options.cluster', 'a cluster object', given);
  const merged = mergeLimits(limits);
  checkNumber('options.timeoutMs', timeoutMs, 0, Infinity);
  checkBoolean('options.separate', separate);

  const opened = openedHere();
  const [first] = opened.values();
  const again = (before: SharedState): SharedState => {
    if (limits !== undefined) throw nodeError(Error, 'ERR_INVALID_STATE', 'The shared state is open: its limits cannot be changed');
    return before;
  };
  if (given === undefined && !separate && first !== undefined) return again(first);
  const cluster = given ?? ownCluster();
  // A worker has one channel, whichever cluster object it is asked by.
  const before = cluster.isPrimary ? [...opened].find(([of]) => sameCluster(of, cluster))?.[1] : first;
  if (before !== undefined) return again(before);
  if (!separate) {
    if (first !== undefined) {
      throw stateError('ERR_SHARED_STATE_UNREACHABLE', 'The shared state of this process is open for another cluster object: this one cannot reach it. '
        + 'If it shall have a store of its own, call sharedState({ separate: true })');
    }
    checkOrigin(cluster.isPrimary);
  }
  const state = open(cluster, merged, timeoutMs, () => {
    if (opened.get(cluster) === state) opened.delete(cluster);
    if (opened.size === 0) unmark();
  });
  opened.set(cluster, state);
  mark(cluster.isPrimary);
  return state;
}

/** A worker needs no store, a primary no pipe: each loads its own side. */
function open(cluster: Cluster, limits: Limits, timeoutMs: number, closed: () => void): SharedState {
  if (cluster.isPrimary) {
    const { openInPrimary } = require('../internal/shared_state/server/primary') as typeof import('../internal/shared_state/server/primary');
    return openInPrimary(cluster, limits, timeoutMs, closed);
  }
  const { openInWorker } = require('../internal/shared_state/client/worker') as typeof import('../internal/shared_state/client/worker');
  return openInWorker(cluster, timeoutMs, closed);
}

function isCluster(value: unknown): value is Cluster {
  return typeof value === 'object' && value !== null && 'on' in value && typeof value.on === 'function'
    && 'isPrimary' in value && typeof value.isPrimary === 'boolean';
}

/** Loaded only where no cluster object is given: in a worker of a stock primary it would take the seat. */
function ownCluster(): Cluster {
  return require('./cluster') as typeof import('./cluster');
}
