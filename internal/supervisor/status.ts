/**
 * What a supervisor tells: how it stands, and what happens.
 *
 * Used by  supervisor.ts; public through lib/supervisor.ts
 */
import type { ReloadState } from './rollout';
import type { Exit, GivenUp, WorkerState } from './states';

/** One worker, or one place without, as `status()` tells it. */
export interface WorkerStatus {
  readonly place: number;
  /** The cluster's number of the worker; null for a place without one. */
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** `current`: the place is its; `successor`: it will be; `leaving`: it was. */
  readonly role: 'current' | 'successor' | 'leaving';
  readonly state: WorkerState;
}

/** Everything at one moment. */
export interface Status {
  /** How many workers there should be; 0 when stopped. */
  readonly desired: number;
  /** How many are ready. */
  readonly ready: number;
  readonly reload: 'idle' | 'canary' | 'rolling';
  readonly generation: number;
  /** The script that a new worker runs. */
  readonly exec: string;
  /** Its working directory. */
  readonly cwd: string;
  readonly workers: readonly WorkerStatus[];
}

/** A worker, or a place without one, changed its state. */
export interface Transition {
  readonly place: number;
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** null: it was just started. */
  readonly from: WorkerState | null;
  readonly state: WorkerState;
}

/** A place was given up, or its worker is too old and cannot be replaced as often as that. */
export interface GiveUp {
  readonly place: number;
  /** `place`: no worker is there any more. `recycling`: its worker goes on. */
  readonly what: GivenUp;
  readonly reason: string;
  /** When it is tried again by itself, as `Date.now()` tells; null: when `reload` or `scale` is called. */
  readonly retryAt: number | null;
  /** The last ends there, newest last. */
  readonly exits: readonly Exit[];
  /** The last words of the last worker there: the end of its stderr if that is a pipe, else its uncaught error. */
  readonly stderr: string;
}

/** A reload has come so far. */
export interface ReloadEvent {
  readonly state: ReloadState;
  readonly generation: number;
  readonly exec: string;
  readonly reason: string;
}

/** The events and their arguments. */
export interface SupervisorEvents {
  transition: [Transition];
  giveup: [GiveUp];
  reload: [ReloadEvent];
  /** All workers are gone after a stop. */
  stopped: [];
}
