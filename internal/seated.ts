/**
 * Who sits in the seat of `node:cluster`. A file of its own, since in a worker it is all that
 * `lib/cluster` and `lib/register` need: the preload has taken the seat before they are loaded, and
 * each file more is a part of every worker's start.
 *
 * Used by  seat.ts, lib/cluster.ts, lib/register.ts
 */
import type { EventEmitter } from 'node:events';

/** Marks a taken seat across two copies of this code (sources under tsx, `dist` in the preload). */
export const taken = Symbol.for('cluster-internals.seat');

/** Node's cluster object. Loading it decides Node's own role, which the environment has fixed at start. */
export function nodeCluster(): EventEmitter & { isWorker: boolean; worker?: { id: number } | null } {
  return require('node:cluster');
}

/** Node's cluster object if ours is in it. */
export function occupiedSeat(): EventEmitter | null {
  const seat = nodeCluster();
  return taken in seat ? seat : null;
}
