/**
 * Takes over `node:cluster`: puts the properties of our cluster on its exports object, in place of Node's. `net`,
 * `dgram` and every app read that object, so a server listens through our cluster and an app forks through it without
 * any change.
 *
 * Used by  startup/role.ts, startup/preload.ts, startup/bundle.ts, lib/cluster.ts, lib/register.ts
 * Never    leaves one of Node's properties beside ours: the object of a worker has no `fork`, as in Node
 * Node     at each `listen`, `net` reads `isPrimary` and `_getServer`, and `dgram` reads `isWorker` and `_getServer`
 *          (N-1, N-2). The object stays the same one: an app that loaded it earlier holds ours, too.
 */
import type { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { NativeObject, Reflect } from './builtins';
import { followCaptureRejections } from './native/emitters';

/** A property that marks the object as taken over. `Symbol.for`: this code can be loaded twice, as a source under tsx and from dist. */
const takenOver = Symbol.for('cluster-internals.taken-over');

/** All properties that Node puts on the object, in a primary or in a worker. */
const roleProperties = [
  'isWorker', 'isMaster', 'isPrimary', 'worker', 'Worker', 'workers', 'settings', 'SCHED_NONE', 'SCHED_RR',
  'schedulingPolicy', 'setupPrimary', 'setupMaster', 'fork', 'disconnect', '_setupWorker', '_getServer',
];

/** The exports of `node:cluster`. Node gives them the role that NODE_UNIQUE_ID in the environment names. */
export function nodeCluster(): EventEmitter & { isWorker: boolean; worker?: { id: number } | null } {
  return require('node:cluster');
}

/** The exports of `node:cluster` if our cluster has taken them over; else null. */
export function takenOverCluster(): EventEmitter | null {
  const cluster = nodeCluster();
  return takenOver in cluster ? cluster : null;
}

/** Removes Node's properties from the exports of `node:cluster`, lets `install` put ours there, and returns the object. */
export function takeOver(install: (cluster: EventEmitter) => void): EventEmitter {
  const cluster = nodeCluster();
  for (const name of roleProperties) Reflect.deleteProperty(cluster, name);
  install(cluster);
  // A preload made the object before the program could set `events.captureRejections`.
  followCaptureRejections(cluster);
  NativeObject.defineProperty(cluster, takenOver, { value: true });
  syncBuiltinESMExports();
  return cluster;
}
