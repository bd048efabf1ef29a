/**
 * What becomes of a worker, as types: the states of a process, how it ended, what a command reports, and what the
 * fleet expects of a worker (Member). Imports only types. lib/supervisor.ts exports the public ones.
 *
 * States   of a process:
 *            starting ── ready in time ──► ready ── told to leave, or it wants to ──► leaving ── exit ──► gone
 *               ├──────── not ready in time, or told to leave ─────────────────────►   │
 *               └──────── dies ─────────────────────────────────────────────────────────────────────────► gone
 *          of a slot without a process:
 *            backing off ── the delay is over ──► starting (a new process)
 *               └────────── too many restarts ──► given up ── retryAt, reload or scale ──► starting
 */
import type { Release } from './recipe';

/** The phases of a worker that leaves, in this order; it can skip some. See worker_process.ts. */
export type LeavingPhase =
  /** It was told to leave, and still gets connections. */
  | 'told'
  /** It gets no new connections. Answers carry `Connection: close`; an idle connection may send one more request. */
  | 'out of rotation'
  /** Idle connections are closed; requests in progress, streams and upgraded connections may finish. */
  | 'finishing'
  /** No connection is left, or the time is up: its channel is closed. */
  | 'disconnecting'
  /** It was sent SIGTERM, because it still ran. */
  | 'terminating'
  /** It was sent SIGKILL, because it still ran at the deadline. */
  | 'killing';

/** The state of a worker; the last two are states of a slot without a process. Times are comparable to `Date.now()`. */
export type WorkerState =
  | { readonly is: 'starting'; readonly since: number }
  | { readonly is: 'ready'; readonly since: number }
  | { readonly is: 'leaving'; readonly since: number; readonly phase: LeavingPhase; readonly reason: string }
  | ({ readonly is: 'gone'; readonly since: number; readonly reason: string } & Exit)
  /** The next worker starts at `until`; `failures` workers in a row have failed. */
  | { readonly is: 'backing off'; readonly since: number; readonly until: number; readonly failures: number }
  /** `retryAt`: when the next worker is started by itself; null: when a command is called. */
  | { readonly is: 'given up'; readonly since: number; readonly retryAt: number | null; readonly exits: readonly Exit[]; readonly stderr: string };

/** The states of a process. */
export type ProcessState = Extract<WorkerState, { is: 'starting' | 'ready' | 'leaving' | 'gone' }>;

/** What was given up: a slot (`place`), or only the recycling of its worker, which is too old and serves on (`recycling`). */
export type GivenUp = 'place' | 'recycling';

/** How a process ended. Both are null for one that could not be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A release of the app that was loaded. Each reload makes a new one, also if the script is the same; a rollback does not. */
export interface Generation extends Release {
  /** Counts up from 1. */
  readonly number: number;
}

/** What happened to one worker while a command ran. */
export interface Fate {
  /** The id of the worker. */
  readonly worker: number;
  readonly pid: number | undefined;
  /** The number of its slot. */
  readonly place: number;
  readonly generation: number;
  /** `ready`: it serves. `left`: it was told to leave, and its process is gone. `died`: it ended though nobody told it to leave. */
  readonly became: 'ready' | 'left' | 'died';
  /** Why it left or died; '' for a worker that became ready. */
  readonly reason: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds since it was started (ready), since it was told to leave (left), or since it was ready (died). */
  readonly ms: number;
}

/** What a command did. */
export interface Report {
  readonly command: 'start' | 'reload' | 'rollback' | 'scale' | 'recycle' | 'stop';
  /** `superseded`: a later command changed the goal before this one reached it. */
  readonly outcome: 'done' | 'superseded';
  readonly workers: readonly Fate[];
}

/** The name of a command. */
export type Command = Report['command'];

/** The figures that a worker has reported about itself with its last answer to a ping. */
export interface Figures {
  /** How many connections are open. */
  readonly connections: number;
  /** How many requests it has served since it was started: http requests, http2 streams, connections of other servers. */
  readonly requests: number;
  /** Its resident memory, in bytes. */
  readonly rss: number;
  /** How much of one CPU it has used since the answer before: 1 is one whole CPU. Several threads can use more than one. */
  readonly cpu: number;
  /** How much too late its event loop ran what was due, in milliseconds: the largest of about 20 samples since the answer before. */
  readonly eventLoopDelayMs: number;
}

/** A worker as the fleet sees it. worker_process.ts implements it with a process, tests with an object. */
export interface Member {
  /** The id of the worker in its cluster. */
  readonly id: number;
  readonly pid: number | undefined;
  /** The number of its slot; public as `place`. */
  readonly slot: number;
  readonly generation: Generation;
  readonly state: ProcessState;
  /** The addresses at which it listens. */
  readonly listens: ReadonlySet<string>;
  /** How many connections it has taken over from other workers; null on Node's own cluster. */
  readonly moved: number | null;
  /** null before the first one. */
  readonly figures: Figures | null;
  /** The end of its stderr, or its uncaught error (see GiveUp). Resolves when its process is gone and all of it has arrived. */
  stderr(): Promise<string>;
  /** It was a canary on trial, and takes connections from now on. */
  serve(): void;
  /** Makes it leave, phase by phase. `atOnce` skips the phases in which the worker itself would have to answer. */
  leave(reason: string, atOnce: boolean): void;
  /** Sends SIGKILL. */
  kill(): void;
}

/** The events of a member for its fleet. Each comes at most once, in this order; `lost` and `ended` may come without the others. */
export interface MemberEvents {
  ready(member: Member): void;
  /** It serves on, but wants to be replaced. `failed`: something is wrong with it; otherwise it is only too old. */
  retiring(member: Member, reason: string, failed: boolean): void;
  /** It serves no more, though nobody told it to leave. Its process may still run. */
  lost(member: Member, reason: string): void;
  /** Its process is gone. */
  ended(member: Member): void;
}
