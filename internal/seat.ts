/**
 * The seat: the exports object of `node:cluster`, which `net`, `dgram` and every app read. Taking it
 * means that our cluster's properties stand there in place of Node's, so that a server listens and
 * an app forks through us without knowing.
 *
 * Used by  role.ts, child/preload.ts
 * Never    keeps a property of Node's beside ours: a worker's object has no `fork`, as in Node
 * Node     `net` reads `isPrimary` and `_getServer`, `dgram` reads `isWorker` and `_getServer`, at
 *          each listen (N-1, N-2). The object stays the same one, so whoever holds it holds ours.
 */
import type { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { NativeObject, Reflect } from './builtins';
import { nodeCluster, taken } from './seated';

/** Everything that either role of Node's cluster puts on the object. */
const roleProperties = [
  'isWorker', 'isMaster', 'isPrimary', 'worker', 'Worker', 'workers', 'settings', 'SCHED_NONE', 'SCHED_RR',
  'schedulingPolicy', 'setupPrimary', 'setupMaster', 'fork', 'disconnect', '_setupWorker', '_getServer',
];

/** Empties Node's cluster object and lets `install` put a role into it. */
export function takeSeat(install: (cluster: EventEmitter) => void): EventEmitter {
  const seat = nodeCluster();
  for (const name of roleProperties) Reflect.deleteProperty(seat, name);
  install(seat);
  NativeObject.defineProperty(seat, taken, { value: true });
  syncBuiltinESMExports();
  return seat;
}
