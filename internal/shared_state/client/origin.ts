/**
 * Finds out whether this process may open a store of its own.
 *
 * A primary and all processes that it has started, directly or not, have one store. If one of them opened another,
 * the same lock would be granted twice. So `sharedState()` throws where the store is elsewhere and cannot be reached,
 * unless the program passes `separate: true`.
 *
 * A process may open a store only if none of these is true:
 *   - this is a worker thread: a thread has no channel and no cluster of its own
 *   - this process, or one above it, was started as a worker: its environment had NODE_UNIQUE_ID at the start. The
 *     cluster deletes the variable in the worker, but /proc still shows the environment of the start
 *   - the variable MARK of its environment names a process that lives. Each process that opens the shared state sets
 *     MARK for the processes that it starts
 *
 * Owns     a table on `process` of what is open in this process, for all copies of this module; the variable MARK
 * Used by  lib/shared_state.ts
 * Never    reads more than the environments of the processes above this one, once when it is opened
 */
import type { Cluster } from 'node:cluster';
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { SharedState } from './api';
import { stateError } from '../values';

/** Its value names the primary: the pid, a colon, and when the process was started, if /proc shows that. */
const MARK = 'CLUSTER_INTERNALS_SHARED_STATE';
/** Node sets it in the environment of each worker. */
const WORKER_MARK = 'NODE_UNIQUE_ID';

/** The key of the table on `process`. `Symbol.for`, so that all copies of this module find it: two clients would use the same call ids on one channel. */
const TABLE = Symbol.for('cluster-internals.shared_state');

const isTable = (value: unknown): value is Map<Cluster, SharedState> =>
  typeof value === 'object' && value !== null && 'get' in value && 'set' in value && 'values' in value;

/** The shared states that are open in this process, by their cluster objects, in the order of opening. */
export function openedHere(): Map<Cluster, SharedState> {
  const found: unknown = Reflect.get(process, TABLE);
  if (isTable(found)) return found;
  const table = new Map<Cluster, SharedState>();
  Object.defineProperty(process, TABLE, { value: table, configurable: true });
  return table;
}

/** Are these two objects of one cluster? If cluster-internals takes over `node:cluster` after it was loaded, there are two, with the same `workers`. */
export const sameCluster = (one: Cluster, other: Cluster): boolean =>
  one === other || (one.workers !== undefined && one.workers === other.workers);

/** Throws ERR_SHARED_STATE_UNREACHABLE if this process must not open a store (a primary) or has no channel to one (a worker). */
export function checkOrigin(isPrimary: boolean): void {
  if (!isMainThread) throw unreachable('This is a worker thread', 'Call sharedState() in the main thread, and send messages to that');
  const above = ancestors();
  if (!isPrimary) {
    const [parent] = above;
    if (parent !== undefined && wasWorker(parent)) {
      throw unreachable(`This process was started with the environment variable ${WORKER_MARK} of a worker, and its parent ${parent} is a worker itself`, 'Start it without that variable');
    }
    return;
  }
  if (wasWorker('self')) throw unreachable(`This process was started with the environment variable ${WORKER_MARK} of a worker, and is no worker`, 'Start it without that variable');
  const worker = above.find(wasWorker);
  if (worker !== undefined) throw unreachable(`This process was started by process ${worker}, a worker of a cluster, or by a child of it`, 'Call sharedState() in that worker');
  const [marked = '', started = ''] = (process.env[MARK] ?? '').split(':');
  if (/^\d+$/.test(marked) && Number(marked) !== process.pid && isAlive(Number(marked), started)) {
    throw unreachable(`Process ${marked}, from which this process has its environment, has the shared state`, 'Call sharedState() in that process or in one of its workers');
  }
}

/** Sets MARK for the processes that this one starts: the store is here, or in the primary of this worker. */
export function mark(isPrimary: boolean): void {
  const pid = isPrimary ? process.pid : process.ppid;
  Reflect.set(process.env, MARK, `${pid}:${startOf(pid)}`);
}

/** Removes MARK: the shared state of this process is closed. */
export function unmark(): void {
  if (process.env[MARK]?.startsWith(`${process.pid}:`)) Reflect.deleteProperty(process.env, MARK);
}

function unreachable(why: string, what: string): Error {
  return stateError('ERR_SHARED_STATE_UNREACHABLE', `${why}: it cannot reach the shared state. ${what}. `
    + 'To open a store of its own, call sharedState({ separate: true })');
}

/** The processes above this one, the parent first, as far as /proc shows them. */
function ancestors(): number[] {
  const found: number[] = [];
  for (let pid = process.ppid; pid > 1 && !found.includes(pid); pid = Number(statOf(pid)[1] ?? 0)) found.push(pid);
  return found;
}

/** Was the process started as a worker of a cluster? False if that cannot be known: it belongs to another user, or there is no /proc. */
function wasWorker(pid: number | 'self'): boolean {
  return read(`/proc/${pid}/environ`).split('\0').some((line) => line.startsWith(`${WORKER_MARK}=`));
}

/** When the process was started, in ticks of the kernel; '' if that cannot be known. */
const startOf = (pid: number): string => statOf(pid)[19] ?? '';

/** The fields of /proc/PID/stat from the third on: the state, the parent's pid, … */
function statOf(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  // The second field is the name in parentheses, which may itself hold spaces and parentheses.
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Does the process live? `started`: when it was started, so that another process with the same pid does not count. */
function isAlive(pid: number, started: string): boolean {
  const start = startOf(pid);
  if (start !== '') return started === '' || start === started;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // The process is gone, or belongs to another user.
  }
}
