/**
 * Takes over `node:cluster` with our cluster, for a whole unmodified program and its workers:
 *
 *   node --require cluster-internals/register app.js
 *
 * In a worker of a stock primary the same flag (in `execArgv`) gives the worker our role; it uses Node's own dialect
 * with that primary.
 */
import { takenOverCluster } from '../internal/node_cluster';

// In a worker of ours the preload has taken over already. A worker thread has a `node:cluster` of its own, always in the
// primary's role, and rarely forks: it keeps Node's.
if (takenOverCluster() === null && (require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread) {
  (require('../internal/startup/load_role') as typeof import('../internal/startup/load_role')).loadRole().clusterObject(true);
}
