/**
 * What a client may ask of the daemon, as types: the parameters and the result of each method. They travel as JSON
 * (operate/control/). The CLI uses the same types.
 *
 * Used by  daemon/, cli/
 */
import type { GivenSpec } from '../app/app_spec';

/**
 * The state of an app, as the daemon sees it.
 *   starting      its primary runs, and not all workers have been ready yet
 *   online        its primary runs, and all workers have been ready
 *   stopping      its primary was told to stop
 *   backing off   its primary died, and the next one starts soon
 *   errored       its primary gave up, or died too often. `start` tries again
 *   stopped       nobody wants it to run
 */
export type AppState = 'starting' | 'online' | 'stopping' | 'backing off' | 'errored' | 'stopped';

/** One worker in a `list`. */
export interface ListedWorker {
  readonly place: number;
  readonly pid: number | null;
  /** The name of its state: 'ready', 'starting', … */
  readonly state: string;
}

/** One app in a `list`. null: not known, for example because it does not run. */
export interface ListedApp {
  readonly name: string;
  /** The process id of its primary. */
  readonly pid: number | null;
  readonly state: AppState;
  /** Why it is errored, or backs off; '' otherwise. */
  readonly reason: string;
  /** Who has started the primary. Apps that the daemon did not start are listed, but never restarted or deleted. */
  readonly startedBy: 'daemon' | 'program' | 'run';
  /** How many workers are desired. */
  readonly instances: number | null;
  readonly ready: number | null;
  /** How often the daemon has restarted the primary since the last command, plus the restarts of its workers. */
  readonly restarts: number | null;
  /** How many connections have moved from one of its workers to another; null on Node's own cluster. */
  readonly moved: number | null;
  readonly uptimeMs: number | null;
  readonly exec: string | null;
  readonly workers: readonly ListedWorker[];
  /** The control socket of the app, whether it exists or not. */
  readonly socket: string;
  /** The log file of the app. */
  readonly log: string | null;
}

/** The result of `list`. */
export interface ListResult {
  readonly daemon: { readonly pid: number; readonly version: string; readonly uptimeMs: number };
  readonly apps: readonly ListedApp[];
  /** One line for each record that could not be read, and why. */
  readonly warnings: readonly string[];
}

/** How a command for several apps ended for one of them. */
export interface AppOutcome {
  readonly name: string;
  /** null: it worked. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The methods of the daemon: parameters and result. Each rejects with an Error with a `code`. */
export interface DaemonMethods {
  list: { params: Readonly<Record<string, never>>; result: ListResult };
  /**
   * Starts an app, or one that was stopped or errored once more. The result comes when all its workers are ready.
   * ERR_ALREADY_RUNNING, ERR_NO_SUCH_APP, ENOENT or EISDIR for the script, ERR_START_FAILED with the reason and the last lines
   * of stderr; the app is then 'errored'. Progress: { state }, { worker: 'ready', place, pid }.
   */
  start: { params: { readonly spec: GivenSpec } | { readonly name: string }; result: ListedApp };
  /** The result comes when the primary is gone. `now`: its workers are killed. ERR_NO_SUCH_APP. Nothing happens to a stopped app. */
  stop: { params: { readonly name: string; readonly now?: boolean }; result: ListedApp };
  /** Stops an app, and forgets it. Its log files stay. ERR_NO_SUCH_APP. */
  delete: { params: { readonly name: string; readonly now?: boolean }; result: { readonly name: string } };
  /** Stops and starts an app, with a new primary. Its clients notice; `reload` is the method without loss. As `start`. */
  restart: { params: { readonly name: string }; result: ListedApp };
  /** Remembers the apps that run, for `resurrect`. */
  save: { params: Readonly<Record<string, never>>; result: { readonly file: string; readonly names: readonly string[] } };
  /** Starts each saved app that does not run. ERR_NOTHING_SAVED. */
  resurrect: { params: Readonly<Record<string, never>>; result: { readonly apps: readonly AppOutcome[] } };
  /** Stops all apps that the daemon has started, and then the daemon. `apps: false`: only the daemon; the apps go on. */
  kill: { params: { readonly apps?: boolean }; result: { readonly apps: readonly AppOutcome[] } };
}
