/**
 * Takes over `node:cluster`: its exports object, which `net`, `dgram` and every app read. Our cluster's
 * properties are put there in place of Node's, so that a server listens and an app forks through us
 * without knowing it.
 *
 * Used by  startup/role.ts, startup/preload.ts, startup/bundle.ts, lib/cluster.ts, lib/register.ts
 * Never    keeps a property of Node's beside ours: a worker's object has no `fork`, as in Node
 * Node     `net` reads `isPrimary` and `_getServer`, `dgram` reads `isWorker` and `_getServer`, at
 *          each listen (N-1, N-2). The object stays the same one, so whoever holds it holds ours.
 */
import type { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { NativeObject, Reflect } from './builtins';

/** Marks an object that was taken over, for two copies of this code (sources under tsx, `dist` in the preload). */
const takenOver = Symbol.for('cluster-internals.seat');

/** Everything that either role of Node's cluster puts on the object. */
const roleProperties = [
  'isWorker', 'isMaster', 'isPrimary', 'worker', 'Worker', 'workers', 'settings', 'SCHED_NONE', 'SCHED_RR',
  'schedulingPolicy', 'setupPrimary', 'setupMaster', 'fork', 'disconnect', '_setupWorker', '_getServer',
];

/** Node's cluster object. Loading it decides Node's own role, which the environment has fixed at start. */
export function nodeCluster(): EventEmitter & { isWorker: boolean; worker?: { id: number } | null } {
  return require('node:cluster');
}

/** Node's cluster object if we have taken it over; null if it is still Node's. */
export function takenOverCluster(): EventEmitter | null {
  const cluster = nodeCluster();
  return takenOver in cluster ? cluster : null;
}

/** Empties Node's cluster object and lets `install` put a role of ours into it. Returns the object. */
export function takeOver(install: (cluster: EventEmitter) => void): EventEmitter {
  const cluster = nodeCluster();
  for (const name of roleProperties) Reflect.deleteProperty(cluster, name);
  install(cluster);
  NativeObject.defineProperty(cluster, takenOver, { value: true });
  syncBuiltinESMExports();
  return cluster;
}
