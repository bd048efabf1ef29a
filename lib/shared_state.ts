/**
 * State that a primary and its workers share: counters, sessions, flags, locks, an elected leader.
 *
 *   import { sharedState } from 'cluster-internals/shared_state';
 *   const state = sharedState();                       // in the primary, and in each worker
 *   const { value } = await state.increment('hits');
 *
 * The primary keeps the state in its memory and does one operation after the other, so the state is linearizable:
 * each read returns the latest write. It is lost when the primary ends; what must last longer belongs in a database.
 * A primary and all processes that it has started, directly or not, have one store. In a process or thread that
 * cannot reach it, `sharedState()` throws.
 *
 * With `sharedState({ store })` the state is in a store that the program brings, for example Redis, and all processes of
 * all machines that open that store share it. The primary has no part in it then.
 *
 * Node     also works with `node:cluster`: `sharedState({ cluster })`
 */
import type { Cluster } from 'node:cluster';
import { invalidArgType, invalidArgValue, nodeError } from '../internal/errors';
import { ownOptions } from '../internal/own_options';
import type { SharedState } from '../internal/shared_state/client/api';
import type { Limits } from '../internal/shared_state/protocol';
import { checkOrigin, mark, openedHere, sameCluster, unmark } from '../internal/shared_state/client/origin';
import type { SharedStore } from '../internal/shared_state/store/contract';
import { mergeLimits, stateError } from '../internal/shared_state/values';
import { checkBoolean, checkNumber, checkObject } from '../internal/validate';

/** The object that `sharedState` returns. */
export type { SharedState } from '../internal/shared_state/client/api';
/** The options and results of its methods. */
export type { Comparison, Holder, LockOptions, Read, WriteOptions } from '../internal/shared_state/client/call_options';
/** The options that each call takes: how long it may wait. */
export type { CallOptions } from '../internal/shared_state/client/pending_calls';
/** The object that `elect` returns. */
export type { Election } from '../internal/shared_state/client/election';
/** The object that `lock` resolves to: the right to hold a lock. */
export type { Lease } from '../internal/shared_state/client/lock';
/** The limits that the primary enforces. */
export type { Limits } from '../internal/shared_state/protocol';
/** The object that `replica` resolves to. */
export type { Replica, ReplicaRead } from '../internal/shared_state/client/replica';
/** What the program brings as `store`, and what its methods take and resolve to. */
export type { SharedStore, StoredEntry, StoredValue, StoreEvent, StoreWrite } from '../internal/shared_state/store/contract';
/** The error with which a call rejects. */
export type { StateError, StateErrorCode } from '../internal/shared_state/values';
/** The object that `watch` returns. */
export type { Watch, WatchEvent, WatchedEntry } from '../internal/shared_state/client/watch';

/** The options of `sharedState`. */
export interface SharedStateOptions {
  /** The cluster object. Default: that of the shared state which is already open in this process, or else that of cluster-internals. */
  readonly cluster?: Cluster | undefined;
  /** Limits, in the primary; see `Limits` for defaults. They are ignored in a worker. With `store` only keyBytes, valueBytes, watches and pendingCalls, for this process. */
  readonly limits?: Partial<Limits> | undefined;
  /** Milliseconds after which a call of this process rejects if no answer has come: 5000. Infinity: never. Does not limit the wait for a lock. */
  readonly timeoutMs?: number | undefined;
  /**
   * true: opens a store of its own, apart from all others, also where `sharedState` would throw otherwise: in a worker
   * thread, in a process that a primary or worker has started, or for a second cluster in one process. Default: false.
   */
  readonly separate?: boolean | undefined;
  /**
   * Where the state is, in place of the primary: an adapter that the program brings, and closes itself. Default: none.
   * It excludes `cluster` and `separate`. Each process that may reach the store can use it, also worker threads.
   */
  readonly store?: SharedStore | undefined;
}

/** The shared states of this process that are in stores. Two for one store would be no harm. */
const overStores = new WeakMap<SharedStore, SharedState>();

/** Milliseconds: far longer than a primary takes to answer while its event loop runs. */
const TIMEOUT_MS = 5000;

/**
 * Opens the shared state in this process. The primary must call it too: this opens the store for all workers, those
 * that were forked before and those that will be.
 *
 * @param options  see SharedStateOptions
 * @returns        the shared state; the same object each time, also for a second copy of this module. With `store`: the
 *                 same object for the same store
 * @throws         ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE for wrong options. ERR_INVALID_STATE if
 *                 it is open already and limits are given. ERR_SHARED_STATE_UNREACHABLE if another process has the
 *                 store and this one cannot reach it: in a worker thread, and in a process that was started by a
 *                 primary or worker with a shared state and is no worker itself
 */
export function sharedState(options: SharedStateOptions = {}): SharedState {
  checkObject('options', options);
  const read = ownOptions(options, ['cluster', 'limits', 'timeoutMs', 'separate', 'store']);
  const { cluster: given, limits, timeoutMs = TIMEOUT_MS, separate = false, store } = read;
  if (given !== undefined && !isCluster(given)) throw invalidArgType('options.cluster', 'a cluster object', given);
  const merged = mergeLimits(limits);
  checkNumber('options.timeoutMs', timeoutMs, 0, Infinity);
  checkBoolean('options.separate', separate);
  const again = (before: SharedState): SharedState => {
    if (limits !== undefined) throw nodeError(Error, 'ERR_INVALID_STATE', 'The shared state is open already, and its limits cannot be changed: pass limits only in the first call');
    return before;
  };
  if (store !== undefined) {
    for (const name of ['cluster', 'separate'] as const) {
      if (read[name] !== undefined) throw invalidArgValue(`options.${name}`, read[name], 'cannot be given together with options.store: the state is in the store then, and in no primary');
    }
    const { checkStore, openOverStore } = require('../internal/shared_state/store/open') as typeof import('../internal/shared_state/store/open');
    checkStore(store, limits);
    const before = overStores.get(store);
    if (before !== undefined) return again(before);
    const state = openOverStore(store, merged, timeoutMs, () => overStores.delete(store));
    overStores.set(store, state);
    return state;
  }
  const opened = openedHere();
  const [first] = opened.values();
  if (given === undefined && !separate && first !== undefined) return again(first);
  const cluster = given ?? ownCluster();
  // A worker has one channel, whatever cluster object is given.
  const before = cluster.isPrimary ? [...opened].find(([of]) => sameCluster(of, cluster))?.[1] : first;
  if (before !== undefined) return again(before);
  if (!separate) {
    if (first !== undefined) {
      throw stateError('ERR_SHARED_STATE_UNREACHABLE', 'The shared state of this process is open for another cluster object, and this one cannot use it. '
        + 'To open a store of its own, call sharedState({ separate: true })');
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

/** A worker needs no server, and a primary no channel: each loads only its own side. (And a process without a store nothing of that.) */
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

/** Loaded only if no cluster object is given: in a worker of a stock primary, loading it would take over `node:cluster`. */
function ownCluster(): Cluster {
  return require('./cluster') as typeof import('./cluster');
}
