/**
 * Puts our cluster into the seat of `node:cluster`, for a whole unmodified program and its workers:
 *
 *   node --require cluster-internals/register app.js
 *
 * Under a stock primary the same flag in a worker's execArgv makes a worker of ours that speaks
 * Node's own dialect.
 */
import { takenOverCluster } from '../internal/node_cluster';

// In a worker the preload has taken it. A worker thread has a cluster object of its own, always in the
// primary's role, and forks nothing as a rule.
if (takenOverCluster() === null && (require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread) {
  (require('../internal/startup/load_role') as typeof import('../internal/startup/load_role')).loadRole().clusterObject(true);
}
