/**
 * Where a process keeps the supervisor's part in it: agent.ts puts it there, lib/graceful.ts finds it.
 * On `process`, by a registered symbol, since there may be two copies of this code (sources under tsx,
 * `dist` in the preload).
 */
import type { Drain } from './drain';

/** The supervisor's part in a worker. */
export interface Supervised {
  readonly drain: Drain;
  /** Asks for a successor; this worker is told to leave when there is one. False if nobody can be asked. */
  retire(reason: string): boolean;
}

const place = Symbol.for('cluster-internals.supervised');

/** Undefined in a process that nobody supervises. */
export const supervised = (): Supervised | undefined => (process as { [place]?: Supervised })[place];

/** This process is supervised from now on. */
export function takePart(part: Supervised): void {
  Object.defineProperty(process, place, { value: part });
}
