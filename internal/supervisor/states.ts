/**
 * What becomes of a worker, as types: its states, the ends of processes, and what a command reports.
 *
 * Imports nothing. Everything public of it is exported again by lib/supervisor.ts.
 * States   of a process:
 *            starting ── ready in time ──► ready ── told to, or asked to ──► leaving ── exit ──► gone
 *               ├──────── not in time, or told to ──────────────────────────►   │
 *               └──────── dies ──────────────────────────────────────────────────────────────► gone
 *          of a place whose process is gone:
 *            backing off ── its time has come ──► starting (a new process)
 *               └────────── too many restarts ──► given up ── its time has come, reload, scale ──► starting
 */

/** How far a worker is on its way out; see worker_process.ts. */
export type LeavingPhase =
  /** It was told, and still gets connections. */
  | 'told'
  /** No new connections. Answers carry `Connection: close`, idle connections may ask once more. */
  | 'out of rotation'
  /** Idle connections are closed; upgraded and streaming ones may finish. */
  | 'finishing'
  /** Nothing is left, or the time is up: its channel is closed. */
  | 'disconnecting'
  /** It still lives: SIGTERM. */
  | 'terminating'
  /** It still lives at the deadline: SIGKILL. */
  | 'killing';

/** A worker's state; the last two are those of a place without a process. Times are of `Date.now()`. */
export type WorkerState =
  | { readonly is: 'starting'; readonly since: number }
  | { readonly is: 'ready'; readonly since: number }
  | { readonly is: 'leaving'; readonly since: number; readonly phase: LeavingPhase; readonly reason: string }
  | ({ readonly is: 'gone'; readonly since: number; readonly reason: string } & Exit)
  | { readonly is: 'backing off'; readonly since: number; readonly until: number; readonly failures: number }
  /** `retryAt`: when it is tried again; null: when a command says so. */
  | { readonly is: 'given up'; readonly since: number; readonly retryAt: number | null; readonly exits: readonly Exit[]; readonly stderr: string };

/** The states of a process. */
export type ProcessState = Extract<WorkerState, { is: 'starting' | 'ready' | 'leaving' | 'gone' }>;

/** What was given up: a whole place, or only the replacement of its worker, which is too old and goes on. */
export type GivenUp = 'place' | 'recycling';

/** How a process ended. Both are null for one that could not be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One release of the app: what a reload starts. */
export interface Generation {
  readonly number: number;
  /** The script's real path when the generation was made. */
  readonly exec: string;
  /** The real path of its working directory, likewise. */
  readonly cwd: string;
}

/** What happened to one worker while a command ran. */
export interface Fate {
  readonly worker: number;
  readonly pid: number | undefined;
  readonly place: number;
  readonly generation: number;
  /** `ready`: it serves. `left`: it was told to leave, and has. `died`: nobody told it. */
  readonly became: 'ready' | 'left' | 'died';
  /** Why it left or died; empty for one that is ready. */
  readonly reason: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds since it was started (ready), told to leave (left) or ready (died). */
  readonly ms: number;
}

/** What a command did. */
export interface Report {
  readonly command: 'start' | 'reload' | 'scale' | 'stop';
  /** `superseded`: a later command wanted something else before this one was done. */
  readonly outcome: 'done' | 'superseded';
  readonly workers: readonly Fate[];
}

/** Which command a report is about. */
export type Command = Report['command'];

/** A worker as the fleet sees it: worker_process.ts in earnest, something simpler in tests. */
export interface Member {
  readonly id: number;
  readonly pid: number | undefined;
  /** The number of its slot; public as `place`. */
  readonly slot: number;
  readonly generation: Generation;
  readonly state: ProcessState;
  /** Where it listens, for comparison with others. */
  readonly listens: ReadonlySet<string>;
  /** Its last words, see GiveUp; complete when its process is gone. */
  stderr(): Promise<string>;
  /** It was on trial, and takes connections from now on. */
  serve(): void;
  /** Leaves, in phases; `atOnce` skips those for which it would have to answer. */
  leave(reason: string, atOnce: boolean): void;
  /** SIGKILL. */
  kill(): void;
}

/** What a member tells the fleet, each at most once and in this order; `lost` and `ended` may come alone. */
export interface MemberEvents {
  ready(member: Member): void;
  /** It goes on, but wants to be replaced. `failed`: something is wrong with it, it is not just old. */
  retiring(member: Member, reason: string, failed: boolean): void;
  /** It serves no more, and nobody told it so. Its process may still live. */
  lost(member: Member, reason: string): void;
  /** Its process is gone. */
  ended(member: Member): void;
}
