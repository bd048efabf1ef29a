/**
 * Primary or worker: decided once per process, and only that role's code is loaded. Whoever wants our
 * `fork` gets it here too: what stands in a primary's bundle is loaded from there.
 *
 * In a worker that our primary started, preload.ts has taken over `node:cluster` before this runs. A
 * worker that a stock primary started is known by Node's own cluster object; there the child layer
 * uses Node's `process.send`. Everything else is a primary.
 */
import { EventEmitter } from 'node:events';
import { hasInheritedChannel } from '../channel/bootstrap_env';
import { moveCluster } from './late_takeover';
import { takeOver, nodeCluster, takenOverCluster } from '../node_cluster';

/**
 * Opens the channel that this process was started with, if that has not happened: a `--require` in
 * NODE_OPTIONS comes before the one that our parent gave. Node's own channel is open by then, too.
 */
export function openInheritedChannel(): void {
  if (hasInheritedChannel(process.env)) require('./preload');
}

/** What the doors of `child_process` need. */
export { exchangeAll, fork } from '../channel/spawn';

/** What `setupPrimary` takes, for the doors of lib. */
export type { ClusterSettings } from '../master/settings';

/** A primary's cluster while `node:cluster` is still Node's: one, also when a program loads the door again. */
let own: { readonly cluster: EventEmitter; readonly moveTo: (cluster: EventEmitter) => void } | undefined;

/** The cluster object of this process. `takesOver`: a primary's becomes `node:cluster` itself. */
export function clusterObject(takesOver: boolean): EventEmitter {
  openInheritedChannel();
  const cluster = takenOverCluster();
  if (cluster !== null) return cluster;
  const node = nodeCluster();
  if (node.isWorker) {
    const { worker } = node;
    if (!worker) return node; // NODE_UNIQUE_ID without a script: Node sets up no worker either (C-2).
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
  // A process has one primary, whichever door came first.
  const before = own;
  return takeOver((node) => {
    if (before === undefined) return void installPrimary(node);
    moveCluster(before.cluster, node);
    before.moveTo(node);
  });
}
