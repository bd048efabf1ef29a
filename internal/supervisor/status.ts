/**
 * What a supervisor returns from `status()` and passes to the listeners of its events, as types. In these public
 * types a slot is called `place`. Public through lib/supervisor.ts.
 *
 * Used by  supervisor.ts, lib/supervisor.ts
 */
import type { ReloadState } from './rollout';
import type { Exit, GivenUp, WorkerState } from './states';

/** One worker in `status()`, or a slot that has none. */
export interface WorkerStatus {
  /** The number of the slot, from 1. */
  readonly place: number;
  /** The id of the worker in its cluster; null for a slot without a worker. */
  readonly worker: number | null;
  readonly pid: number | null;
  readonly generation: number | null;
  /** `current`: it holds the slot. `successor`: it will replace the current one. `leaving`: it held the slot before. */
  readonly role: 'current' | 'successor' | 'leaving';
  readonly state: WorkerState;
}

/** The state of a supervisor and all of its workers at one moment. */
export interface Status {
  /** How many workers are desired; 0 when stopped. */
  readonly desired: number;
  /** How many workers are ready. */
  readonly ready: number;
  readonly reload: 'idle' | 'canary' | 'rolling';
  /** The number of the release that a new worker runs. */
  readonly generation: number;
  /** The script that a new worker runs. */
  readonly exec: string;
  /** The working directory of a new worker. */
  readonly cwd: string;
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

/** Each event of a supervisor, with its arguments. */
export type SupervisorEvent = { readonly [Name in keyof SupervisorEvents]: readonly [name: Name, ...args: SupervisorEvents[Name]] }[keyof SupervisorEvents];

/** The events of a supervisor and their arguments. */
export interface SupervisorEvents {
  transition: [Transition];
  giveup: [GiveUp];
  reload: [ReloadEvent];
  /** All workers are gone after a stop. */
  stopped: [];
  /** The address of `health` or `metrics` cannot be had. As always with 'error': if nobody listens for it, this process ends with it. */
  error: [Error];
}
