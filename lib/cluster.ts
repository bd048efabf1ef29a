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
 * Used by  main.ts, cli.ts, shared_state.ts, supervisor.ts
 * Node     https://nodejs.org/api/cluster.html
 */
import type { Cluster, ClusterSettings as NodeSettings, Worker } from 'node:cluster';
import type { Socket } from 'node:net';
import type { ClusterSettings, ConnectionCounts, InheritedSocket, clusterObject } from '../internal/startup/role';
import { takenOverCluster } from '../internal/node_cluster';

/** The settings that `setupPrimary` takes besides Node's. README.md has a row for each. */
type OwnSettings = {
  [Name in 'allowedFds' | 'allowListen' | 'dialect' | 'inheritedSockets' | 'limits' | 'keepListening' | 'rebalance' | 'scheduling' | 'schedulingPolicy' | 'weight']?: ClusterSettings[Name];
};

/** `cluster.worker`, with the members that Node's does not have. */
interface OwnWorker extends Worker {
  /**
   * Gives idle HTTP/1 keep-alive connections of this worker back to the primary, which hands them to other workers that
   * listen at the same address. Bytes that a client has sent meanwhile are read by the other worker; the client notices
   * nothing.
   *
   * A connection can move if it is a plain TCP or unix socket under round robin (not SCHED_NONE) of a `http.Server`, if no
   * request has begun on it and no response is open, if the app has not paused or upgraded it, and if the app lets it
   * (`movable`). Here the socket emits 'close' when it has moved.
   *
   * In the other worker it is a new connection, with a new socket:
   * - its server emits 'connection'; `bytesRead` and `bytesWritten` begin at 0
   * - `maxConnections`, `getConnections` and 'drop' count it there, and no more here. If no worker may have one more, it
   *   waits in the primary, as a new one does
   * - `keepAliveTimeout` of that server begins anew when it arrives: it is closed if no request comes within that time.
   *   With a `keepAliveTimeout` of 0, `server.timeout` holds
   * - `headersTimeout` and `requestTimeout` begin with the first byte of its next request; `maxRequestsPerSocket` counts
   *   from that request on
   * - `server.close()` and `closeIdleConnections` close it while it is idle
   *
   * It stays where it is if the primary cannot take it: nobody else listens there, too many connections wait there
   * (`limits.queuedConnections`), or the rule is `sticky`.
   *
   * @param options  `max`: the most connections; by default all that are idle now
   * @returns        the number of connections that the primary has taken; 0 under a primary of stock Node
   * @throws         ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for wrong options
   */
  returnIdle(options?: { readonly max?: number | undefined }): Promise<number>;
  /**
   * Says which idle connections may move to another worker, whoever asks for it (`returnIdle`, the option `rebalance`, a
   * supervisor). true: it may; undefined, and without a function: it may, unless the app has added listeners or properties
   * of its own to the socket; anything else: it stays, also a promise. If it throws, the connection stays, and the
   * exception is uncaught.
   */
  movable?: ((socket: Socket) => boolean | undefined) | undefined;
}

/** A Worker of a primary, with the members that Node's does not have. */
interface OwnWorkerOfPrimary extends Worker {
  /**
   * Asks this worker to give idle connections back, as its own `returnIdle` does.
   *
   * @param options  `max`: the most connections; by default all that are idle
   * @returns        was it asked? false if its channel has ended, or if it runs stock Node
   * @throws         ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE for wrong options
   */
  returnIdle(options?: { readonly max?: number | undefined }): boolean;
}

/** The interface of `node:cluster`, with our additions. */
type ClusterInternals = Cluster & {
  /** In a worker: the worker itself. */
  readonly worker?: OwnWorker | undefined;
  /** In a primary: its workers, by their ids. */
  readonly workers?: NodeJS.Dict<OwnWorkerOfPrimary> | undefined;
  setupPrimary(settings?: NodeSettings & OwnSettings): void;
  /** In a primary: the number of connections that it has accepted and not yet handed to a worker. */
  readonly queuedConnections: number;
  /**
   * In a primary with the setting `inheritedSockets`, from its first fork on: the listening sockets that systemd has passed
   * (LISTEN_FDS), in the order of their fds. `used`: a worker listens there. A copy, as of now.
   */
  readonly inheritedSockets: readonly InheritedSocket[];
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
   * @returns        a copy, as of now. accepted + returned = acknowledged + closed + queued + inFlight
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
