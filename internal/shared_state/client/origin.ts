/**
 * Whose shared state is this process's? There is one store for a primary and all that descends from it,
 * and a process or thread that has no way to it must not open another: the same lock would be granted
 * twice. So `sharedState()` throws there, unless the program says that it means a store of its own.
 *
 * A process is taken for a primary of its own only if none of these is true:
 *   - it is a worker thread: a thread has no channel, and no cluster of its own
 *   - it, or a process that it descends from, was started as a worker: NODE_UNIQUE_ID in the environment
 *     that it was started with. The cluster deletes the variable in the worker; /proc remembers it
 *   - MARK in its environment names a process that is alive: whoever opens the shared state sets it for
 *     all that it starts
 *
 * Owns     a table on `process` of what is open in it, whichever copy of this code has opened it; MARK
 * Used by  lib/shared_state.ts
 * Never    reads more than the environments of the processes above this one, once per opening
 */
import type { Cluster } from 'node:cluster';
import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { SharedState } from './api';
import { stateError } from '../values';

/** Names the primary: its pid, and when it was started where that can be known. */
const MARK = 'CLUSTER_INTERNALS_SHARED_STATE';
const WORKER_MARK = 'NODE_UNIQUE_ID';

/** Found by every copy of this code: a second one would answer the same calls, under the same numbers. */
const TABLE = Symbol.for('cluster-internals.shared_state');

const isTable = (value: unknown): value is Map<Cluster, SharedState> =>
  typeof value === 'object' && value !== null && 'get' in value && 'set' in value && 'values' in value;

/** What is open in this process, by cluster object, in the order of opening. */
export function openedHere(): Map<Cluster, SharedState> {
  const found: unknown = Reflect.get(process, TABLE);
  if (isTable(found)) return found;
  const table = new Map<Cluster, SharedState>();
  Object.defineProperty(process, TABLE, { value: table, configurable: true });
  return table;
}

/** Are these one cluster? A primary that took the seat of `node:cluster` late has two objects, with one table of workers. */
export const sameCluster = (one: Cluster, other: Cluster): boolean =>
  one === other || (one.workers !== undefined && one.workers === other.workers);

/** Throws ERR_SHARED_STATE_UNREACHABLE where the store is elsewhere and cannot be reached. */
export function checkOrigin(isPrimary: boolean): void {
  if (!isMainThread) throw unreachable('This is a worker thread', 'Call it in the main thread of a primary or worker, and speak with that by messages');
  const above = ancestors();
  if (!isPrimary) {
    const [parent] = above;
    if (parent !== undefined && wasWorker(parent)) {
      throw unreachable(`This process was started with the ${WORKER_MARK} of a worker, and process ${parent}, which started it, is a worker itself`, 'Start it without that variable');
    }
    return;
  }
  if (wasWorker('self')) throw unreachable(`This process was started with the ${WORKER_MARK} of a worker, and is none`, 'Start it without that variable');
  const worker = above.find(wasWorker);
  if (worker !== undefined) throw unreachable(`This process descends from process ${worker}, which is a worker of a cluster`, 'Call it in that worker');
  const [marked = '', started = ''] = (process.env[MARK] ?? '').split(':');
  if (/^\d+$/.test(marked) && Number(marked) !== process.pid && isAlive(Number(marked), started)) {
    throw unreachable(`Process ${marked}, from which this one has its environment, has the shared state`, 'Call it there, or in a worker of its cluster');
  }
}

/** Lets what this process starts know where the store is: here, or in the primary of this worker. */
export function mark(isPrimary: boolean): void {
  const pid = isPrimary ? process.pid : process.ppid;
  Reflect.set(process.env, MARK, `${pid}:${startOf(pid)}`);
}

/** There is none any more. */
export function unmark(): void {
  if (process.env[MARK]?.startsWith(`${process.pid}:`)) Reflect.deleteProperty(process.env, MARK);
}

function unreachable(why: string, what: string): Error {
  return stateError('ERR_SHARED_STATE_UNREACHABLE', `${why}: it cannot reach the shared state. ${what}. `
    + 'If it shall have a store of its own, call sharedState({ separate: true })');
}

/** The processes above this one, the parent first, as far as /proc tells. */
function ancestors(): number[] {
  const found: number[] = [];
  for (let pid = process.ppid; pid > 1 && !found.includes(pid); pid = Number(statOf(pid)[1] ?? 0)) found.push(pid);
  return found;
}

/** Was it started as a worker of a cluster? False where nobody tells: it is another user's, or there is no /proc. */
function wasWorker(pid: number | 'self'): boolean {
  return read(`/proc/${pid}/environ`).split('\0').some((line) => line.startsWith(`${WORKER_MARK}=`));
}

/** When the process was started, in the kernel's ticks; '' where nobody tells. */
const startOf = (pid: number): string => statOf(pid)[19] ?? '';

/** What /proc says of a process, from its state on: the second is its parent. */
function statOf(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  // The name before may hold spaces and parentheses.
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

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
    return ''; // Gone, or not ours to read.
  }
}
