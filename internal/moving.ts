/**
 * How the supervisor's agent in a worker moves the worker's connections: the cluster's role in the worker puts an object on
 * `cluster.worker`, and the agent finds it there.
 *
 * Used by  child/index.ts, supervisor/worker/agent.ts
 * Node     its own cluster has no such object
 */
import type { Socket } from 'node:net';
import { NativeObject } from './builtins';

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
}

/** A registered symbol, since the agent may have loaded this file from another place than the cluster. */
const MOVING = Symbol.for('cluster-internals.moving');

/** Lets `movingOf` find this. */
export function setMoving(worker: object, moving: Moving): void {
  NativeObject.defineProperty(worker, MOVING, { value: moving });
}

/** The object that `setMoving` put on `cluster.worker`; undefined under Node's own cluster. */
export const movingOf = (worker: object | undefined): Moving | undefined => (worker as { [MOVING]?: Moving } | undefined)?.[MOVING];
