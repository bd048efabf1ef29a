/**
 * Puts our cluster into the seat of `node:cluster`, for a whole unmodified program and its workers:
 *
 *   node --require cluster-internals/register app.js
 *
 * Under a stock primary the same flag in a worker's execArgv makes a worker of ours that speaks
 * Node's own dialect.
 */
import { isMainThread } from 'node:worker_threads';
import { clusterObject } from '../internal/role';

// A worker thread has a cluster object of its own, always in the primary's role, and forks nothing as a rule.
if (isMainThread) clusterObject(true);
