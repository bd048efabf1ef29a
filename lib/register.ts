/**
 * Puts our cluster into the seat of `node:cluster`, for a whole unmodified program and its workers:
 *
 *   node --require cluster-internals/register app.js
 *
 * Under a stock primary the same flag in a worker's execArgv makes a worker of ours that speaks
 * Node's own dialect.
 */
import { occupiedSeat } from '../internal/seated';

// In a worker the preload has taken it. A worker thread has a cluster object of its own, always in the
// primary's role, and forks nothing as a rule.
if (occupiedSeat() === null && (require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread) {
  (require('../internal/primary_entry') as typeof import('../internal/primary_entry')).loadRole().clusterObject(true);
}
