/**
 * Primary or worker: decided once per process, and only that role's code is loaded. Whoever wants our
 * `fork` gets it here too: what stands in a primary's bundle is loaded from there.
 *
 * A worker that our primary started has taken its seat in child/preload.ts before this runs. A
 * worker that a stock primary started is told by Node's own cluster object; there the child layer
 * rides on Node's `process.send`. Everything else is a primary.
 */
import { EventEmitter } from 'node:events';
import { hasInheritedChannel } from './channel/inherited';
import { moveFace } from './faces';
import { takeSeat } from './seat';
import { nodeCluster, occupiedSeat } from './seated';

/**
 * Opens the channel that this process was started with, if that has not happened: a `--require` in
 * NODE_OPTIONS comes before the one that our parent gave. Node's own channel is open by then, too.
 */
export function openInheritedChannel(): void {
  if (hasInheritedChannel(process.env)) require('./child/preload');
}

/** What the doors of `child_process` need. */
export { exchangeAll, fork } from './channel/spawn';

/** What `setupPrimary` takes, for the doors of lib. */
export type { ClusterSettings } from './master/settings';

/** A primary's cluster, where it has no seat: one, also when a program loads the door again. */
let own: { readonly cluster: EventEmitter; readonly moveTo: (cluster: EventEmitter) => void } | undefined;

/** The cluster object of this process. `inSeat`: a primary's becomes `node:cluster` itself. */
export function clusterObject(inSeat: boolean): EventEmitter {
  openInheritedChannel();
  const seat = occupiedSeat();
  if (seat !== null) return seat;
  const node = nodeCluster();
  if (node.isWorker) {
    const { worker } = node;
    if (!worker) return node; // NODE_UNIQUE_ID without a script: Node sets up no worker either (C-2).
    const { installWorker, releaseFromNode } = require('./child/index') as typeof import('./child/index');
    releaseFromNode();
    return takeSeat((cluster) => installWorker(cluster, { id: worker.id, announced: true }));
  }
  const { installPrimary } = require('./master/index') as typeof import('./master/index');
  if (!inSeat) {
    if (own === undefined) {
      const cluster = new EventEmitter();
      own = { cluster, moveTo: installPrimary(cluster) };
    }
    return own.cluster;
  }
  // A process has one primary, whichever door came first.
  const before = own;
  return takeSeat((cluster) => {
    if (before === undefined) return void installPrimary(cluster);
    moveFace(before.cluster, cluster);
    before.moveTo(cluster);
  });
}
