/**
 * The cluster object: the same surface as `node:cluster`, on our own channel.
 *
 *   const cluster = require('cluster-internals');       // CommonJS
 *   import cluster, { fork } from 'cluster-internals';  // ESM
 *
 * In a primary it is an object of its own; `node:cluster` stays Node's unless `register` was loaded:
 * then both are one cluster, in whichever order the two doors were loaded.
 * In a worker it is `node:cluster` itself, since `net`, `http` and `dgram` read it there.
 *
 * Node     https://nodejs.org/api/cluster.html
 */
import type { Cluster, ClusterSettings as NodeSettings, Worker } from 'node:cluster';
import type { ClusterSettings, clusterObject } from '../internal/startup/role';
import { takenOverCluster } from '../internal/node_cluster';

/** What `setupPrimary` takes besides Node's settings; each has its row in lib/README.md. */
type OwnSettings = {
  [Name in 'allowedFds' | 'allowListen' | 'dialect' | 'limits' | 'keepListening' | 'scheduling' | 'weight']?: ClusterSettings[Name];
};

/** `node:cluster`, and what is ours. */
type ClusterInternals = Cluster & {
  setupPrimary(settings?: NodeSettings & OwnSettings): void;
  /** In a primary: how many connections it has accepted and not handed to a worker yet. */
  readonly queuedConnections: number;
  /** In a primary: forks one worker with settings of its own; those of the program stay, and no 'setup' is emitted. */
  forkWith(settings: NodeSettings & OwnSettings, env?: NodeJS.ProcessEnv): Worker;
};

/** In a worker the preload has put it into the seat, and nothing more is loaded. */
function ownCluster(): ReturnType<typeof clusterObject> {
  return takenOverCluster() ?? (require('../internal/startup/load_role') as typeof import('../internal/startup/load_role')).loadRole().clusterObject(false);
}

const cluster = ownCluster() as unknown as ClusterInternals;

// An `import { fork } from` needs to know the names before the code runs; Node finds them by reading
// these assignments. Their values are replaced by the line below.
exports.isWorker = exports.isMaster = exports.isPrimary = exports.worker = exports.Worker = undefined;
exports.workers = exports.settings = exports.SCHED_NONE = exports.SCHED_RR = exports.schedulingPolicy = undefined;
exports.setupPrimary = exports.setupMaster = exports.fork = exports.disconnect = undefined;

export = cluster;
