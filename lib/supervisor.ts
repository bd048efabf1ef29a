/**
 * Keeps N workers of an app alive: restarts with limits, reloads without a lost request, scaling.
 *
 *   import { supervise } from 'cluster-internals/supervisor';
 *   const supervisor = supervise({ exec: 'app.js', workers: 4 });   // kill -HUP reloads it
 *   await supervisor.reload();
 *
 * It uses the public cluster object alone, so it runs on Node's own as well: `{ cluster: require('node:cluster') }`.
 */
import type { Cluster } from 'node:cluster';
import { nodeError } from '../internal/errors';
import { checkOptions, type SuperviseOptions } from '../internal/supervisor/options';
import { Supervisor } from '../internal/supervisor/supervisor';

/** What `supervise` takes. */
export type { Recycle, SuperviseOptions } from '../internal/supervisor/options';
/** The limits of the restart budget: the option `restarts`. */
export type { RestartLimits as GuardRule } from '../internal/supervisor/restart_budget';
/** What becomes of workers. */
export type { Exit, Fate, GivenUp, LeavingPhase, Report, WorkerState } from '../internal/supervisor/states';
/** What a supervisor tells. */
export type { GiveUp, ReloadEvent, Status, SupervisorEvents, Transition, WorkerStatus } from '../internal/supervisor/status';
/** What `supervise` returns. */
export type { Supervisor } from '../internal/supervisor/supervisor';
/** What the promises of commands reject with. */
export { SupervisorError } from '../internal/supervisor/tasks';

/**
 * Starts the workers and keeps them alive until `stop()`, or until a signal says so.
 *
 * @param options  see SuperviseOptions; all may be left out
 * @returns        the supervisor, which emits 'transition', 'giveup', 'reload' and 'stopped'
 * @throws         ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE for options that make no
 *                 sense; ENOENT if the script is not there; ERR_INVALID_STATE in a worker
 */
export function supervise(options: SuperviseOptions = {}): Supervisor {
  const { cluster: given, ...checked } = checkOptions(options);
  // Not at the head of this file: on Node's own cluster ours is not even loaded.
  const cluster = given ?? require('./cluster') as Cluster;
  if (!cluster.isPrimary) throw nodeError(Error, 'ERR_INVALID_STATE', 'Invalid state: a worker cannot supervise workers');
  return new Supervisor(cluster, checked);
}
