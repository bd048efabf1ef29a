/**
 * Where a supervised worker keeps its agent: agent.ts stores it, lib/graceful.ts finds it. It is a property of
 * `process` with a registered symbol, and not a variable, because a process can load this file twice: compiled in
 * `dist` for the agent, and as a source when the app runs under tsx.
 *
 * Used by  agent.ts, ending.ts, lib/graceful.ts
 */
import type { Drain } from './drain';

/**
 * How long a worker that leaves without being told to waits for its primary, in milliseconds. A signal often reaches both,
 * and the primary says within a few milliseconds what follows from it (a stop, not a single successor).
 */
export const PRIMARY_FIRST_MS = 200;

/** What the agent of a worker offers to `graceful` in the same process. */
export interface Agent {
  /** The connections of all servers of the worker. */
  readonly drain: Drain;
  /** Asks the primary for a successor; the primary tells this worker to leave when there is one. False if it cannot be asked. */
  retire(reason: string): boolean;
  /** Do idle connections move to other workers, if this worker leaves now? Not if the primary does not answer. */
  readonly moves: boolean;
}

const key = Symbol.for('cluster-internals.supervised');

/** The agent of this process; undefined if no supervisor started the process. */
export const currentAgent = (): Agent | undefined => (process as { [key]?: Agent })[key];

/** This process is supervised from now on. */
export function setAgent(agent: Agent): void {
  Object.defineProperty(process, key, { value: agent });
}
