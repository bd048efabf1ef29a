/**
 * The rules that decide which worker gets the next connection. To change a rule, change its function
 * below; to add one, add it to `rules`.
 *
 *   round-robin         the worker with the fewest connections in flight; among equals the one whose last
 *                       turn is the longest ago. As long as each connection is acknowledged before the
 *                       next one comes, this is Node's round robin.
 *   least-connections   the worker with the fewest connections, open (as it reports them) and in flight,
 *                       divided by its weight
 *   random-two          two workers at random, and of these the one with fewer connections: nearly as
 *                       even, and cheap with many workers
 *   sticky              rendezvous hashing of the client's address: a client always gets the same worker,
 *                       and when one of n workers leaves, only that worker's clients move
 *   shared              the workers accept by themselves, within quotas (shared_accept_handle.ts). Here it is round
 *                       robin, for the connections that the primary has: returned ones, and those that it accepted
 *                       while no worker listened
 *   a function          the program decides; round robin where the function throws or names no candidate
 *
 * "In flight" means: handed off to a worker that has not acknowledged it yet.
 *
 * The window. How many connections may be in flight to one worker? With one, as in Node, a worker waits a
 * round trip after each connection. With many, a worker that is busy for a second keeps that many clients
 * waiting. So the window depends on the worker's acknowledgements:
 *
 *   WINDOW         in the turn of the event loop in which an acknowledgement of this worker was read:
 *                  the worker is alive, and takes what is queued here in one batch
 *   IDLE_WINDOW    at other times
 *   one            after YOUNG_MS without a sign of life
 *
 * A worker that blocks holds one or two connections then, and a whole batch only if it blocks right after
 * an acknowledgement. Waiting here for the acknowledgement costs a connection nothing: it would wait behind
 * the same connections in the worker's pipe. It also saves wake-ups: 30,000 connections/s, against 23,000
 * with up to 16 or 32 in flight at any time (2 workers, 64 clients, Node 26).
 *
 * `sticky` and functions name one worker and no other. A connection for it is sent at once and waits in
 * its pipe, up to NAMED_WINDOW; beyond that the rule chooses as if this worker did not listen.
 *
 * Crowds. To wake a sleeping worker for one connection costs more than to serve the connection. Where more
 * than CROWD workers listen and AWAKE of them are awake, round robin gives each of those up to CROWD_WINDOW
 * connections before it wakes another one. A worker counts as awake for FRESH_MS after it was woken or has
 * acknowledged something; if it is blocked after all, it holds what came within that time.
 *
 * Used by  scheduler.ts, which keeps the candidates of one address; hand_off_queue.ts (WINDOW); rebalancing.ts; settings.ts,
 *          which checks what a program asks for
 * Keeps    under the first three rules a worker never has more in flight than WINDOW, in a crowd than
 *          CROWD_WINDOW; under every rule never more than NAMED_WINDOW
 * Node     the `free` queue of RoundRobinHandle: one connection in flight for each worker, first come
 *          first served. All rules but the first are ours (D30).
 */
import { availableParallelism } from 'node:os';
import { Math, Number, NativeObject, String, performance } from '../builtins';
import { separately } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { peerName } from '../native/listening';

// A local name: the hash of `sticky` runs it some hundred times for each connection.
const { imul } = Math;

/**
 * Window of a worker whose acknowledgement was read in this turn of the event loop, in connections. A stock
 * worker's is 1. From 12 on a larger window serves no more connections per second, and a worker that blocks
 * would hold more.
 */
export const WINDOW = 12;
/** Window of a worker without such an acknowledgement. Two, so that one can wait in its pipe while it serves the other. */
export const IDLE_WINDOW = 2;
/** Window of a worker that is awake, where a crowd listens: about the number that arrives while it wakes up. */
export const CROWD_WINDOW = 32;
/** Window of a worker that `sticky` or a function has named: a bound against a worker that never answers. */
export const NAMED_WINDOW = 1024;
/** After this many milliseconds without a sign of life a worker gets no second connection. Two acknowledgements come much faster. */
const YOUNG_MS = 10;
/** Milliseconds for which a returned connection waits for a silent worker before its giver gets it back. On a busy machine a worker often waits its turn for 20 ms. */
export const PATIENCE_MS = 40;
/** More workers than this are a crowd: two for each processor, and at least 4. */
const CROWD = Math.max(4, 2 * availableParallelism());
/** So many workers of a crowd are kept busy before another one is woken: one for each processor, but the primary's. */
const AWAKE = Math.max(1, availableParallelism() - 1);
/** Milliseconds for which a worker counts as awake after a sign of life: some ten times what a connection takes. */
const FRESH_MS = 1;
/** Milliseconds for which a worker that has rejected a connection counts as one that rejects. */
const REJECTED_MS = 500;
/** Connections. More than any worker has. */
const LAST = 1e9;
/** A worker that is silent while others acknowledge is ranked as if it had this many connections more. */
const SILENT = 8;

/** What a scheduling function sees of a client. On a Unix socket it has no address. */
export interface Client {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** What a scheduling function sees of a worker. */
export interface CandidateInfo {
  readonly id: number;
  /** Connections that were handed off to it and that it has not acknowledged. */
  readonly inFlight: number;
  /** Connections that it had open at this address by its last report; always 0 for a stock worker. */
  readonly open: number;
  /** `weight` of the settings it was forked with; 1 by default. */
  readonly weight: number;
}

/** A rule of the program's own. It returns one of the candidates, or its id, or its cluster.Worker. */
export type SchedulingFunction = (connection: Client, candidates: readonly CandidateInfo[]) => { readonly id: number } | number;

/** What `setupPrimary({ scheduling })` takes. */
export type Scheduling = 'round-robin' | 'least-connections' | 'random-two' | 'sticky' | 'shared' | SchedulingFunction;

/** Is this a value that `setupPrimary({ scheduling })` takes? */
export function isScheduling(value: unknown): value is Scheduling {
  return typeof value === 'function' || (typeof value === 'string' && NativeObject.hasOwn(rules, value));
}

/** A worker that listens at the address, from `add` to `remove`. A worker that listens again is a new candidate. */
export interface Candidate<Worker> extends CandidateInfo {
  readonly worker: Worker;
  /** WINDOW, or 1 for a stock worker. A crowd and rules that name a worker have windows of their own. */
  readonly window: number;
  /** Its number under `sticky`: the lowest one that was free. */
  readonly index: number;
  inFlight: number;
  open: number;
  /** It reports `open` only now and then, so what is accepted between two reports is added here. */
  readonly reportsSeldom: boolean;
  /** Its last sign of life: an acknowledgement, or a connection that woke it. Milliseconds of `performance.now()`. */
  aliveAt: number;
  /** The turn of the event loop in which its last acknowledgement was read. */
  acknowledgedIn: number;
  /** When it rejected a connection, in milliseconds of `performance.now()`; -1 if it has accepted one since. */
  rejectedAt: number;
  /** The number of its last pick: who has the lowest has waited longest. */
  pick: number;
  /** Its channel has ended, and it is about to be removed: it gets nothing more. */
  retired: boolean;
}

/**
 * Chooses who gets the connection, among the candidates that pass `hasRoom` (or `canBeNamed`, if the rule names one
 * worker); null if nobody may have it now. `lastAnswer`: when any candidate last acknowledged something, in ms.
 */
type Rule = <Worker>(candidates: readonly Candidate<Worker>[], connection: NativeHandle, lastAnswer: number) => Candidate<Worker> | null;

/**
 * A named rule. `counts`: workers have to report how many connections they have open. `sticks`: a client belongs to one
 * worker as long as that worker listens, so none of its connections moves to another.
 */
export interface NamedRule {
  readonly choose: Rule;
  readonly counts: boolean;
  readonly sticks?: true;
}

const rules = {
  'round-robin': { choose: roundRobin, counts: false },
  'least-connections': { choose: leastConnections, counts: true },
  'random-two': { choose: randomTwo, counts: true },
  'sticky': { choose: sticky, counts: false, sticks: true },
  'shared': { choose: roundRobin, counts: false },
} satisfies Record<string, NamedRule>;

/** The rules that `setupPrimary({ scheduling })` takes by name. */
export const SCHEDULING_NAMES: readonly string[] = NativeObject.keys(rules);

/** The rule for what `setupPrimary({ scheduling })` was given, as checked by `isScheduling`. */
export function ruleFor(scheduling: Scheduling): NamedRule {
  return typeof scheduling === 'function' ? { choose: ruleOf(scheduling), counts: true } : rules[scheduling];
}

// ── the rules ────────────────────────────────────────────────────────────────────────────────────

/** May the worker get one more connection? `now`: in milliseconds. `turn`: the number of the present turn of the event loop. */
function hasRoom({ retired, inFlight, window, acknowledgedIn, aliveAt }: Candidate<unknown>, now: number, turn: number): boolean {
  if (retired) return false;
  if (inFlight === 0) return true;
  const most = acknowledgedIn === turn ? window : Math.min(IDLE_WINDOW, window);
  return inFlight < most && now - aliveAt < YOUNG_MS;
}

/** Has the worker given a sign of life a moment ago, so that a returned connection may wait for it? */
export const isYoung = ({ retired, aliveAt }: Candidate<unknown>): boolean => !retired && performance.now() - aliveAt < PATIENCE_MS;

function roundRobin<Worker>(candidates: readonly Candidate<Worker>[], _connection: NativeHandle, lastAnswer: number): Candidate<Worker> | null {
  const awake = candidates.length > CROWD && enoughAreAwake(candidates) ? least(candidates, inFlight, isAwake) : null;
  if (awake !== null) return awake;
  let idle: Candidate<Worker> | null = null;
  for (const candidate of candidates) {
    if (candidate.inFlight === 0 && !candidate.retired && (idle === null || candidate.pick < idle.pick)) idle = candidate;
  }
  return idle ?? least(candidates, burden, hasRoom, lastAnswer);
}

/** A worker that is silent while others acknowledge may be blocked: it gets a second connection when the others have many. */
function burden({ inFlight, aliveAt }: Candidate<unknown>, lastAnswer: number): number {
  return lastAnswer - aliveAt < FRESH_MS ? inFlight : inFlight + SILENT;
}

/** It runs, and has room for one more: no process has to be woken. A stock worker has no room while it has a connection. */
function isAwake({ inFlight, window, retired, aliveAt }: Candidate<unknown>, now: number): boolean {
  return inFlight > 0 && window > 1 && inFlight < CROWD_WINDOW && !retired && now - aliveAt < FRESH_MS;
}

function enoughAreAwake(candidates: readonly Candidate<unknown>[]): boolean {
  const now = performance.now();
  let awake = 0;
  for (const candidate of candidates) if (isAwake(candidate, now)) awake++;
  return awake >= AWAKE;
}

const inFlight = (candidate: CandidateInfo): number => candidate.inFlight;

function leastConnections<Worker>(candidates: readonly Candidate<Worker>[]): Candidate<Worker> | null {
  return least(candidates, load, hasRoom);
}

/** A worker that rejects connections has the fewest for a long time. It comes after all others. */
const load = (candidate: Candidate<unknown>): number =>
  (candidate.open + candidate.inFlight) / candidate.weight + (isRejecting(candidate) ? LAST : 0);

/** Has this worker rejected a connection a moment ago: it has `maxConnections`, or is a supervisor's canary? */
export const isRejecting = ({ rejectedAt }: Candidate<unknown>): boolean => rejectedAt >= 0 && performance.now() - rejectedAt < REJECTED_MS;

/**
 * Returns the candidate for which `measure` returns the lowest number, among those that pass `test`. Among equals it
 * returns the one whose last pick is the longest ago; null if none passes.
 */
function least<Worker>(
  candidates: readonly Candidate<Worker>[], measure: (candidate: Candidate<unknown>, lastAnswer: number) => number,
  test: (candidate: Candidate<unknown>, now: number, turn: number) => boolean, lastAnswer = 0,
): Candidate<Worker> | null {
  const now = performance.now();
  const turn = performance.turn();
  let best: Candidate<Worker> | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (!test(candidate, now, turn)) continue;
    const measured = measure(candidate, lastAnswer);
    if (measured < fewest || (measured === fewest && candidate.pick < (best as Candidate<Worker>).pick)) {
      best = candidate;
      fewest = measured;
    }
  }
  return best;
}

function randomTwo<Worker>(candidates: readonly Candidate<Worker>[]): Candidate<Worker> | null {
  const now = performance.now();
  const turn = performance.turn();
  let free = 0;
  for (const candidate of candidates) if (hasRoom(candidate, now, turn)) free++;
  if (free === 0) return null;
  const first = Math.floor(Math.random() * free);
  const second = free === 1 ? first : (first + 1 + Math.floor(Math.random() * (free - 1))) % free;
  let one: Candidate<Worker> | null = null;
  let other: Candidate<Worker> | null = null;
  let at = -1;
  for (const candidate of candidates) {
    if (!hasRoom(candidate, now, turn)) continue;
    at++;
    if (at === first) one = candidate;
    if (at === second) other = candidate;
  }
  return load(other as Candidate<Worker>) < load(one as Candidate<Worker>) ? other : one;
}

/** Each index draws a number for the client, and the highest number wins. When a worker leaves, the numbers of the others stay. */
function sticky<Worker>(candidates: readonly Candidate<Worker>[], connection: NativeHandle, lastAnswer: number): Candidate<Worker> | null {
  const { remoteAddress } = peerName(connection);
  if (remoteAddress === undefined) return roundRobin(candidates, connection, lastAnswer);
  const client = hash(remoteAddress);
  let best: Candidate<Worker> | null = null;
  let highest = -1;
  for (const candidate of candidates) {
    const drawn = scatter(client ^ imul(candidate.index + 1, 0x9e3779b1));
    if (canBeNamed(candidate) && drawn > highest) {
      best = candidate;
      highest = drawn;
    }
  }
  return best;
}

const canBeNamed = (candidate: Candidate<unknown>): boolean => !candidate.retired && candidate.inFlight < NAMED_WINDOW;

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = imul(value ^ text.charCodeAt(at), 0x01000193);
  return value;
}

/** Spreads 32 bits so that each depends on all: the finalizer of MurmurHash3. */
function scatter(bits: number): number {
  let value = imul(bits ^ (bits >>> 16), 0x85ebca6b);
  value = imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/**
 * The program's function as a rule. A mistake of the function is one warning, and costs no connection. The
 * function may throw, and it may change who listens here while it runs: its choice is checked afterwards.
 */
function ruleOf(choose: SchedulingFunction): Rule {
  let warned = false;
  const warn = (what: string): void => {
    if (warned) return;
    warned = true;
    separately(() => process.emitWarning(`The scheduling function ${what}; such connections go by round robin`, 'ClusterSchedulingWarning'));
  };
  return (candidates, connection, lastAnswer) => {
    const shown = candidates.filter(canBeNamed).map(({ id, inFlight, open, weight }) => ({ id, inFlight, open, weight }));
    if (shown.length === 0) return null;
    try {
      const chosen: unknown = choose(peerName(connection), shown);
      const id = typeof chosen === 'number' ? chosen : (chosen as { id?: unknown } | null | undefined)?.id;
      const named = candidates.find((one) => one.id === id && canBeNamed(one));
      if (named !== undefined) return named;
      warn(`named ${id === undefined ? 'no worker' : `worker ${String(id)}, which does not listen there`}`);
    } catch (error) {
      warn(`threw ${textOf(error)}`);
    }
    return roundRobin(candidates.filter(canBeNamed), connection, lastAnswer);
  };
}

/** A program can throw anything, also a value that has no text. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'something that cannot be turned into text';
  }
}
