/**
 * Decides whether this process is a primary or a worker, once, and loads the code of that role only. It also exports
 * our `fork`, so that a primary loads everything from one bundle.
 *
 * Three cases: in a worker that our primary started, preload.ts has taken over `node:cluster` before this file runs.
 * In a worker that a stock primary started, Node's own cluster object has `isWorker`; our worker's role then uses Node's
 * `process.send`. Every other process is a primary.
 *
 * Used by  load_role.ts, lib/cluster.ts (for its types)
 */
import { EventEmitter } from 'node:events';
import { hasInheritedChannel } from '../channel/bootstrap_env';
import { moveCluster } from './late_takeover';
import { takeOver, nodeCluster, takenOverCluster } from '../node_cluster';

/**
 * Opens the channel that this process inherited, unless preload.ts has done that. It has not when the app itself has
 * a `--require` in NODE_OPTIONS: Node runs that before the `--require` that our parent put on the command line. Such
 * code may already use `process.send`, as under stock Node.
 */
export function openInheritedChannel(): void {
  if (hasInheritedChannel(process.env)) require('./preload');
}

/** For lib/child_process.ts and lib/register_fork.ts. */
export { exchangeAll, fork } from '../channel/spawn';

/** The settings that `setupPrimary` takes, for lib/cluster.ts. */
export type { ClusterSettings } from '../master/settings';

/** A member of `cluster.inheritedSockets`, likewise. */
export type { InheritedSocket } from '../master/inherited_sockets';

/** The result of `cluster.counters()`, likewise. */
export type { ConnectionCounts } from '../master/connection_counters';

/** The cluster object of a primary that has not taken over `node:cluster`. There is one, however often lib/cluster.ts is loaded. */
let own: { readonly cluster: EventEmitter; readonly moveTo: (cluster: EventEmitter) => void } | undefined;

/** The cluster object of this process. With `takesOver` a primary takes over `node:cluster`; without it gets an object of its own. */
export function clusterObject(takesOver: boolean): EventEmitter {
  openInheritedChannel();
  const cluster = takenOverCluster();
  if (cluster !== null) return cluster;
  const node = nodeCluster();
  if (node.isWorker) {
    const { worker } = node;
    if (!worker) return node; // NODE_UNIQUE_ID is set, but there is no script: Node prepares no worker either (C-2).
    const { installWorker, releaseFromNode } = require('../child/index') as typeof import('../child/index');
    releaseFromNode();
    return takeOver((node) => installWorker(node, { id: worker.id, announced: true }));
  }
  const { installPrimary } = require('../master/index') as typeof import('../master/index');
  if (!takesOver) {
    if (own === undefined) {
      const ofOurs = new EventEmitter();
      own = { cluster: ofOurs, moveTo: installPrimary(ofOurs) };
    }
    return own.cluster;
  }
  // A process has one primary. If lib/cluster.ts was loaded before lib/register.ts, that primary moves to Node's object.
  const before = own;
  return takeOver((node) => {
    if (before === undefined) return void installPrimary(node);
    moveCluster(before.cluster, node);
    before.moveTo(node);
  });
}
