/**
 * Keeps N workers of an app running: it restarts workers that die, within limits; it reloads the app without losing a
 * request; it changes the number of workers.
 *
 *   import { supervise } from 'cluster-internals/supervisor';
 *   const supervisor = supervise({ exec: 'app.js', workers: 4 });   // kill -HUP reloads it
 *   await supervisor.reload();
 *
 * It uses only documented members of the cluster object, so it runs on Node's own cluster as well:
 * `supervise({ cluster: require('node:cluster') })`.
 */
import type { Cluster } from 'node:cluster';
import { nodeError } from '../internal/errors';
import type { openEndpoints } from '../internal/operate/metrics/endpoints';
import type { MetricsReader } from '../internal/operate/metrics/reader';
import { checkOptions, type SuperviseOptions } from '../internal/supervisor/options';
import { Supervisor } from '../internal/supervisor/supervisor';

/** The options of `supervise`. */
export type { Recycle, SuperviseOptions } from '../internal/supervisor/options';
/** The parts of a release: `supervise` begins with them, and `reload` can change them. */
export type { ReleaseOptions } from '../internal/supervisor/release_options';
/** The options `health` and `metrics`. */
export type { Endpoint, HealthEndpoint, HealthOption, MetricsOption } from '../internal/supervisor/endpoint_options';
/** The limits of the restart budget: the option `restarts`. */
export type { RestartLimits as GuardRule } from '../internal/supervisor/restart_budget';
/** The states of workers, and what commands report. */
export type { Exit, Fate, Figures, GivenUp, LeavingPhase, Report, WorkerState } from '../internal/supervisor/states';
/** What `status()` returns, and the events of a supervisor. */
export type { GiveUp, ReleaseStatus, ReloadEvent, Status, SupervisorEvents, Transition, UpgradeEvent, WorkerStatus } from '../internal/supervisor/status';
/** The options and the result of `upgrade`. */
export type { UpgradeOptions, UpgradeReport } from '../internal/supervisor/replacing';
/** The type of the object that `supervise` returns. */
export type { Supervisor } from '../internal/supervisor/supervisor';
/** The error with which the promises of commands reject. */
export { SupervisorError } from '../internal/supervisor/tasks';

/**
 * Starts the workers, and keeps them running until `stop()` or until a signal stops them.
 *
 * @param options  see SuperviseOptions; each may be left out. Times are in milliseconds
 * @returns        the supervisor, at once. `await supervisor.started` waits until all workers are ready. It emits
 *                 'transition', 'giveup', 'reload' and 'stopped', and 'error' if the address of `health` or `metrics`
 *                 cannot be had: like any 'error', it ends this process if nobody listens for it
 * @throws         ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE or ERR_OUT_OF_RANGE for a wrong option; ENOENT if the script
 *                 does not exist; ERR_CONTROL_PATH if `control` is too long a path; ERR_INVALID_STATE in a worker
 */
export function supervise(options: SuperviseOptions = {}): Supervisor {
  const { cluster: given, ...checked } = checkOptions(options);
  const openControl = checked.control === null ? null : controlOf(checked.control);
  // Loaded here and not at the head of this file: if the program passes Node's cluster, ours must not be loaded.
  const cluster = given ?? require('./cluster') as Cluster;
  if (!cluster.isPrimary) throw nodeError(Error, 'ERR_INVALID_STATE', 'Invalid state: a worker cannot supervise workers');
  const supervisor = new Supervisor(cluster, checked);
  if (checked.systemd) connectWithSystemd(supervisor, cluster);
  if (openControl !== null || checked.health !== null || checked.metrics !== null) {
    const reader = readerOf(supervisor, cluster);
    openControl?.(supervisor, reader);
    if (checked.health !== null || checked.metrics !== null) openAddresses(supervisor, reader, checked);
  }
  return supervisor;
}

// ── loaded only where an option asks for it: most programs need none of these files ───────────────────

/** Checks the option `control`. What is returned opens the socket of a supervisor. */
function controlOf(nameOrPath: string): (supervisor: Supervisor, reader: MetricsReader) => void {
  const { checkControl, openControl } = require('../internal/operate/control/app_control') as typeof import('../internal/operate/control/app_control');
  checkControl(nameOrPath);
  return (supervisor, reader) => openControl(supervisor, nameOrPath, { metrics: () => reader.text() });
}

function readerOf(supervisor: Supervisor, cluster: Cluster): MetricsReader {
  const loaded = require('../internal/operate/metrics/reader') as typeof import('../internal/operate/metrics/reader');
  return new loaded.MetricsReader(supervisor, cluster);
}

function openAddresses(...args: Parameters<typeof openEndpoints>): void {
  (require('../internal/operate/metrics/endpoints') as typeof import('../internal/operate/metrics/endpoints')).openEndpoints(...args);
}

/** Does nothing unless systemd has started this process. */
function connectWithSystemd(supervisor: Supervisor, cluster: Cluster): void {
  const { NOTIFY_SOCKET: wanted, LISTEN_FDS: sockets } = process.env;
  if (wanted !== undefined) (require('../internal/operate/systemd/service') as typeof import('../internal/operate/systemd/service')).tellSystemd(supervisor);
  if (sockets !== undefined) (require('../internal/operate/systemd/sockets') as typeof import('../internal/operate/systemd/sockets')).reportUnused(supervisor, cluster);
}
