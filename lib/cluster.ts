/**
 * The cluster object: the same surface as `node:cluster`, on our own channel.
 *
 *   const cluster = require('cluster-internals');       // CommonJS
 *   import cluster, { fork } from 'cluster-internals';  // ESM
 *
 * In a primary it is an object of its own, and `node:cluster` stays Node's. If the program also loads
 * `cluster-internals/register`, before or after, both are one cluster.
 * In a worker it is the exports object of `node:cluster`, because `net`, `http` and `dgram` read that object.
 *
 * Used by  main.ts, shared_state.ts, supervisor.ts
 * Node     https://nodejs.org/api/cluster.html
 */
import type { Cluster, ClusterSettings as NodeSettings, Worker } from 'node:cluster';
import type { ClusterSettings, ConnectionCounts, clusterObject } from '../internal/startup/role';
import { takenOverCluster } from '../internal/node_cluster';

/** The settings that `setupPrimary` takes besides Node's. README.md has a row for each. */
type OwnSettings = {
  [Name in 'allowedFds' | 'allowListen' | 'dialect' | 'limits' | 'keepListening' | 'scheduling' | 'schedulingPolicy' | 'weight']?: ClusterSettings[Name];
};

/** The interface of `node:cluster`, with our additions. */
type ClusterInternals = Cluster & {
  setupPrimary(settings?: NodeSettings & OwnSettings): void;
  /** In a primary: the number of connections that it has accepted and not yet handed to a worker. */
  readonly queuedConnections: number;
  /**
   * In a primary: forks one worker with settings of its own (`exec`, `args`, `cwd`, `execArgv`, `stdio`, …) over those of
   * the cluster, which do not change; 'setup' is not emitted. Node's cluster ignores `settings`.
   */
  fork(env: NodeJS.ProcessEnv | undefined, settings: NodeSettings & OwnSettings): Worker;
  /** As `fork(env, settings)`, under a name that Node's cluster does not have: a program can see whether it is there. */
  forkWith(settings: NodeSettings & OwnSettings, env?: NodeJS.ProcessEnv): Worker;
  /**
   * In a primary: how many connections it has accepted since it began, and what became of them. All numbers only grow,
   * except `queued` and `inFlight`. Connections that workers accept by themselves (SCHED_NONE) are not counted.
   *
   * @param options  `latency: true` measures from this call on how long each connection takes from `accept` to the
   *                 worker's acknowledgement; `latency` of the result is null before
   * @returns        a copy, as of now. accepted = acknowledged + closed + queued + inFlight
   * @throws         ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for wrong options
   */
  counters(options?: { readonly latency?: boolean }): ConnectionCounts;
};

/** In a worker the preload has taken over `node:cluster`, so nothing more is loaded. */
function ownCluster(): ReturnType<typeof clusterObject> {
  return takenOverCluster() ?? (require('../internal/startup/load_role') as typeof import('../internal/startup/load_role')).loadRole().clusterObject(false);
}

const cluster = ownCluster() as ClusterInternals;

// For `import { fork } from 'cluster-internals'` Node must know the names before this code runs. It finds them by reading
// the text of these assignments. `export =` below replaces the values.
exports.isWorker = exports.isMaster = exports.isPrimary = exports.worker = exports.Worker = undefined;
exports.workers = exports.settings = exports.SCHED_NONE = exports.SCHED_RR = exports.schedulingPolicy = undefined;
exports.setupPrimary = exports.setupMaster = exports.fork = exports.disconnect = undefined;

export = cluster;
