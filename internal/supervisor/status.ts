/**
 * What a supervisor returns from `status()` and passes to the listeners of its events, as types. In these public
 * types a slot is called `place`. Public through lib/supervisor.ts.
 *
 * Used by  supervisor.ts, fleet_status.ts, lib/supervisor.ts
 */
import type { ReloadState } from './rollout';
import type { Exit, Figures, GivenUp, WorkerState } from './states';

/**
 * One worker in `status()`, or a slot that has none. The five figures (`connections` to `eventLoopDelayMs`) are those of
 * its last answer to a ping, which is up to `pingMs` old; null before the first one, and in a slot without a worker.
 */
export interface WorkerStatus extends FiguresOrNull {
  /** The number of the slot, from 1. It stays the same when the worker is replaced. */
  readonly place: number;
  /** The id of the worker in its cluster; null for a slot without a worker. */
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** `current`: it holds the slot. `successor`: it will replace the current one. `leaving`: it held the slot before. */
  readonly role: 'current' | 'successor' | 'leaving';
  readonly state: WorkerState;
  /** Milliseconds since the worker was started; null for a slot without a worker. */
  readonly uptimeMs: number | null;
  /** When it became ready, comparable to `Date.now()`; null if it has not. */
  readonly readyAt: number | null;
  /**
   * How many workers were started in this place because one had died, failed or was too old. Starts for a command
   * (reload, recycle, scale) do not count. Begins with 0 when `scale` makes the place.
   */
  readonly restarts: number;
  /** How many connections it has taken over from other workers; null on Node's own cluster, and for a slot without a worker. */
  readonly moved: number | null;
}

type FiguresOrNull = { readonly [Name in keyof Figures]: Figures[Name] | null };

/** A release that was loaded, as its workers are started. Its variables are not here, since they can be secret. */
export interface ReleaseStatus {
  /** Its number: counts up from 1 with each reload. A rollback goes back to an earlier one. */
  readonly generation: number;
  /** The real path of the script. */
  readonly exec: string;
  /** The real path of the working directory. */
  readonly cwd: string;
  readonly args: readonly string[];
  readonly execArgv: readonly string[];
}

/** The state of a supervisor and all of its workers at one moment. */
export interface Status extends ReleaseStatus {
  /** How many workers are desired; 0 when stopped. */
  readonly desired: number;
  /** How many workers are ready. */
  readonly ready: number;
  /** A stop runs: no worker is desired any more, and some have not left yet. True from the beginning of `drainDelayMs`. */
  readonly stopping: boolean;
  readonly reload: 'idle' | 'canary' | 'rolling';
  /** The release to which `rollback` would go while no reload runs; null if no other release was used before. */
  readonly earlier: ReleaseStatus | null;
  /** How many connections the cluster has moved from one worker to another since this process began; null on Node's own cluster. */
  readonly moved: number | null;
  /** How many restarts there were in all places (see WorkerStatus) since the supervisor was made. */
  readonly restarts: number;
  /** How many reloads and rollbacks have reached their goal. */
  readonly reloads: number;
  readonly workers: readonly WorkerStatus[];
}

/** The state of a worker, or of a slot without a worker, changed. */
export interface Transition {
  readonly place: number;
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** null if the worker was just started. */
  readonly from: WorkerState | null;
  readonly state: WorkerState;
  /** The figures of the worker's last answer to a ping; null before the first one, and for a slot without a worker. */
  readonly figures: Figures | null;
  /** How many connections the worker has taken over from other workers; null on Node's own cluster, and for a slot without a worker. */
  readonly moved: number | null;
}

/** A slot was given up, or its worker is too old but cannot be replaced as often as the limits ask for. */
export interface GiveUp {
  readonly place: number;
  /** `place`: the slot has no worker any more. `recycling`: its worker serves on. */
  readonly what: GivenUp;
  readonly reason: string;
  /** When it is tried again by itself, comparable to `Date.now()`; null: only when `reload` or `scale` is called. */
  readonly retryAt: number | null;
  /** How the last processes in this slot ended, newest last. */
  readonly exits: readonly Exit[];
  /** What the last worker there printed last: the end of its stderr if that is a pipe, otherwise its uncaught error. */
  readonly stderr: string;
}

/** A reload changed its state. */
export interface ReloadEvent {
  readonly state: ReloadState;
  readonly generation: number;
  readonly exec: string;
  /** Why it was aborted or superseded; '' otherwise. */
  readonly reason: string;
}

/** This primary is being replaced by another process (`upgrade`). */
export interface UpgradeEvent {
  /**
   * started: the new primary runs. leaving: it serves, and the workers of this one leave. done: it has everything, and this
   * process ends. failed: it does not run any more, and this primary goes on.
   */
  readonly state: 'started' | 'leaving' | 'done' | 'failed';
  /** The new primary; null if it could not be started. */
  readonly pid: number | null;
  /** Why it failed; '' otherwise. */
  readonly reason: string;
}

/** Each event of a supervisor, with its arguments. */
export type SupervisorEvent = { readonly [Name in keyof SupervisorEvents]: readonly [name: Name, ...args: SupervisorEvents[Name]] }[keyof SupervisorEvents];

/** The events of a supervisor and their arguments. */
export interface SupervisorEvents {
  transition: [Transition];
  giveup: [GiveUp];
  reload: [ReloadEvent];
  upgrade: [UpgradeEvent];
  /** All workers are gone after a stop, or because another primary has replaced this one. */
  stopped: [];
  /** The address of `health` or `metrics` cannot be had. As always with 'error': if nobody listens for it, this process ends with it. */
  error: [Error];
}
