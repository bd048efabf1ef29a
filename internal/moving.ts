/**
 * How the supervisor's agent in a worker moves the worker's connections: the cluster's role in the worker puts an object on
 * `cluster.worker`, and the agent finds it there. In the primary, the cluster puts a count of moves on each of its Workers.
 *
 * Used by  child/index.ts, master/index.ts, supervisor/worker/agent.ts, supervisor/supervisor.ts,
 *          supervisor/worker_process.ts
 * Node     its own cluster has no such object
 */
import type { Socket } from 'node:net';
import { NativeObject, Reflect } from './builtins';

/** The numbers of connections that a call has moved, and that the primary did not take. */
export interface Returned {
  readonly moved: number;
  readonly refused: number;
}

/** Moves the connections of this worker. The supervisor's agent calls it. */
export interface Moving {
  /** Returns all idle connections to the primary. */
  returnIdle(): Promise<Returned>;
  /** May this connection move, whenever it is idle? `isBusy`: a response is in progress on it. */
  mayMove(socket: Socket, isBusy: boolean): boolean;
  /**
   * Asks the primary for no more connections. `done` is called when all that it has handed to this worker have come to the
   * servers of the app: at once if there can be none, never if the primary does not answer.
   */
  withdraw?(done: () => void): void;
}

/** The same, of the worker that the agent is in. */
export interface MovingWorker extends Moving {
  /**
   * `leave` is called whenever this worker is to disconnect, whoever asks for it, and before its servers are closed, which
   * would close idle connections. The worker goes on to disconnect when `leave` calls `done`.
   */
  beforeDisconnect(leave: (done: () => void) => void): void;
}

/** Registered symbols, since the agent and the supervisor may have loaded this file from another place than the cluster. */
const MOVING = Symbol.for('cluster-internals.moving');
const MOVED = Symbol.for('cluster-internals.moved');

/** Lets `movingOf` find this. */
export function setMoving(worker: object, moving: MovingWorker): void {
  NativeObject.defineProperty(worker, MOVING, { value: moving });
}

/** The object that `setMoving` put on `cluster.worker`; undefined under Node's own cluster. */
export const movingOf = (worker: object | undefined): MovingWorker | undefined => (worker as { [MOVING]?: MovingWorker } | undefined)?.[MOVING];

/** Lets `movedOf` count the connections that this worker has taken over from other workers. In a primary. */
export function setMoved(worker: object, moved: () => number): void {
  NativeObject.defineProperty(worker, MOVED, { value: moved });
}

/** How many connections this worker has taken over from other workers; null under Node's own cluster. */
export const movedOf = (worker: object): number | null => (worker as { [MOVED]?: () => number })[MOVED]?.() ?? null;

/** How many connections this cluster has moved from one worker to another; null under Node's own cluster. */
export function movedIn(cluster: object): number | null {
  const { counters } = cluster as { counters?: () => { readonly moved: number } };
  return typeof counters === 'function' ? Reflect.apply(counters, cluster, []).moved : null;
}
