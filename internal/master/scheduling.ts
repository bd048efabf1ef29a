/**
 * Which worker gets the next connection. This file is the whole rule: `RoundRobinHandle` asks, and
 * does what it is told. To change a rule, change a function below; to add one, add it to `ruleFor`.
 *
 *   round-robin         the worker with the fewest hand-offs in flight; among equals the one that has
 *                       waited longest (rotation). While each is acknowledged before the next comes,
 *                       that is Node's round robin.
 *   least-connections   the fewest connections open now (as the worker reports them) and in flight,
 *                       for its weight
 *   random-two          of two workers at random the one with fewer: nearly as even, nothing to scan
 *   sticky              rendezvous hashing of the client's address: a client comes back to its worker,
 *                       and when one of n leaves, only that one's clients move
 *   a function          whatever the program wants; round robin where it throws or names nobody
 *
 * The window. One hand-off in flight per worker, as in Node, makes a worker wait a round trip between
 * connections; many strand connections in a worker that is busy for a second. So batches follow
 * answers: a worker that has answered just now (ANSWER_MS) is alive, and gets what waits here, up to
 * WINDOW in flight; at other times it may have START, one when it has been silent for YOUNG_MS, and
 * when silent for FRESH_MS while others answer it comes after those. A worker that blocks has one or
 * two connections then, whatever arrives at once; only one that blocks just after an answer has the
 * batch. It is faster, too: a connection that is sent as it comes wakes the worker, whose answer wakes
 * us; one that waits here for the answer to those before it goes with others, and loses nothing, since
 * it would wait behind them there (2 workers, 64 clients, Node 26: 30,000/s; with up to 16 or 32 at
 * any time 23,000).
 * `sticky` and functions name one worker and no other: what they say is done, and waits in that
 * worker's pipe, up to MOST; then it is as if that one were not there.
 *
 * Waking. A worker that is woken for one connection costs more than the connection. Where more workers
 * than CROWD listen, two for each processor, and AWAKE of them are awake, one for each processor but
 * the primary's, round robin fills those, up to FILL, before it wakes another. Awake is who was woken,
 * or has answered, less than FRESH_MS ago: one that turns out to be blocked strands what came in that
 * time.
 *
 * Owns     who listens on one address, and how many hand-offs each has in flight there
 * Used by  round_robin_handle.ts; settings.ts checks what a program asks for
 * Keeps    1. under the first three rules nobody has more in flight than its window, in a crowd than FILL;
 *             under all than MOST
 *          2. a worker is seated exactly between `add` and `remove`; its slot is the lowest free one,
 *             so that who replaces a worker gets its clients
 * Node     the `free` queue of RoundRobinHandle: one hand-off in flight, first come first served. The
 *          rules but the first are ours (D30).
 */
import { availableParallelism } from 'node:os';
import { Math, Number, NativeObject, String, performance } from '../builtins';
import { separately } from '../errors';
import type { NativeHandle } from '../native/bindings';
import { peerName } from '../native/listening';

// Apart, since the hash of `sticky` runs it some hundred times for each connection.
const { imul } = Math;

/** How many connections may be in flight to a worker of ours that answers. A stock worker gets one at a time. */
export const WINDOW = 12;
/** And to one that has not answered just now. */
export const START = 2;
/** And in a crowd, to a worker of ours that is awake. */
export const FILL = 32;
/** How many may be in flight to a worker that a rule names. */
export const MOST = 1024;
/** Milliseconds for which an answer lets a worker have a whole window: while the answers read in one turn are settled. */
const ANSWER_MS = 0.1;
/** Milliseconds without a sign of life after which a worker gets no second connection. */
const YOUNG_MS = 10;
/** Where more workers listen, those that are awake are filled before another is woken. */
const CROWD = Math.max(4, 2 * availableParallelism());
const AWAKE = Math.max(1, availableParallelism() - 1);
/** Milliseconds for which a worker that was woken, or has answered, is thought to be awake. */
const FRESH_MS = 1;
/** So many connections more in flight does a worker seem to have that is silent for that time while others answer. */
const SILENT = 8;

/** A client, as a scheduling function sees it; without an address on a unix socket. */
export interface Client {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** A worker, as a scheduling function sees it. */
export interface Candidate {
  readonly id: number;
  /** Connections handed to it that it has not acknowledged. */
  readonly inFlight: number;
  /** Connections that it had open at this address when it last said so; 0 for a stock worker. */
  readonly open: number;
  /** As in the settings when it was forked; 1 by default. */
  readonly weight: number;
}

/** A rule of the program's own: gives one of the candidates, or its id, or its cluster.Worker. */
export type Scheduler = (connection: Client, candidates: readonly Candidate[]) => { readonly id: number } | number;

/** What `setupPrimary({ scheduling })` takes. */
export type Scheduling = 'round-robin' | 'least-connections' | 'random-two' | 'sticky' | Scheduler;

/** Is this something that `setupPrimary({ scheduling })` takes? */
export function isScheduling(value: unknown): value is Scheduling {
  return typeof value === 'function' || (typeof value === 'string' && NativeObject.hasOwn(rules, value));
}

/** The place of a worker at an address, from `add` to `remove`. Listening again is a new seat. */
export interface Seat<Worker> extends Candidate {
  readonly worker: Worker;
  readonly window: number;
  readonly slot: number;
  inFlight: number;
  open: number;
  /** When it last answered, or got a connection while it had none; milliseconds of `performance.now()`. */
  heard: number;
  /** When it last answered; milliseconds of `performance.now()`. */
  answered: number;
  /** When it last had its turn; counts picks. */
  turn: number;
  /** It can take no more, and will be removed. */
  retired: boolean;
}

/** Says which of these seats gets the connection; null if none may have one now. `lastAnswer`: when any of them last answered. */
type Rule = <Worker>(seats: readonly Seat<Worker>[], connection: NativeHandle, lastAnswer: number) => Seat<Worker> | null;

/** A rule, and whether workers have to report how many connections they have open. */
interface Scheme {
  readonly pick: Rule;
  readonly counts: boolean;
}

const rules = {
  'round-robin': { pick: roundRobin, counts: false },
  'least-connections': { pick: leastConnections, counts: true },
  'random-two': { pick: randomTwo, counts: true },
  'sticky': { pick: sticky, counts: false },
} satisfies Record<string, Scheme>;

/** The workers of one address, and whose turn it is. */
export class Rotation<Worker> {
  readonly #seats: Seat<Worker>[] = [];
  readonly #scheme: Scheme;
  #turns = 0;
  /** When any worker last answered; milliseconds of `performance.now()`. */
  #lastAnswer = 0;

  /** `scheduling`: as checked by `isScheduling`. */
  constructor(scheduling: Scheduling = 'round-robin') {
    this.#scheme = typeof scheduling === 'function' ? { pick: ruleOf(scheduling), counts: true } : rules[scheduling];
  }

  get size(): number {
    return this.#seats.length;
  }

  /** Does the rule depend on how many connections workers have open? */
  get counts(): boolean {
    return this.#scheme.counts;
  }

  every(test: (seat: Seat<Worker>) => boolean): boolean {
    return this.#seats.every(test);
  }

  has(worker: Worker): boolean {
    return this.#seats.some((seat) => seat.worker === worker);
  }

  /** Seats a worker at the end of the rotation; `window` is the most that it may have in flight. */
  add(worker: Worker, id: number, window: number, weight = 1): void {
    let slot = 0;
    while (this.#seats.some((seat) => seat.slot === slot)) slot++;
    this.#seats.push({ worker, id, window, weight, slot, inFlight: 0, open: 0, heard: 0, answered: Number.NEGATIVE_INFINITY, turn: ++this.#turns, retired: false });
  }

  /** False if it was not seated. */
  remove(worker: Worker): boolean {
    const at = this.#seats.findIndex((seat) => seat.worker === worker);
    if (at === -1) return false;
    this.#seats.splice(at, 1);
    return true;
  }

  /** The worker has said how many connections it has open. */
  report(worker: Worker, open: number): void {
    const seat = this.#seats.find((one) => one.worker === worker);
    if (seat !== undefined) seat.open = open;
  }

  /** The seat for this connection, which is counted as in flight to it; null while none may have it. */
  next(connection: NativeHandle): Seat<Worker> | null {
    const seat = this.#scheme.pick(this.#seats, connection, this.#lastAnswer);
    if (seat === null) return null;
    if (seat.inFlight++ === 0) seat.heard = performance.now();
    seat.turn = ++this.#turns;
    return seat;
  }

  /** A hand-off has ended; `answered`: by the worker. */
  settled(seat: Seat<Worker>, answered: boolean): void {
    seat.inFlight--;
    if (answered) seat.heard = seat.answered = this.#lastAnswer = performance.now();
  }
}

// ── the rules ────────────────────────────────────────────────────────────────────────────────────

function hasRoom(seat: Seat<unknown>, now: number): boolean {
  if (seat.retired) return false;
  if (seat.inFlight === 0) return true;
  const most = now - seat.answered < ANSWER_MS ? seat.window : Math.min(START, seat.window);
  return seat.inFlight < most && now - seat.heard < YOUNG_MS;
}

function roundRobin<Worker>(seats: readonly Seat<Worker>[], _connection: NativeHandle, lastAnswer: number): Seat<Worker> | null {
  const awake = seats.length > CROWD && enoughAreAwake(seats) ? least(seats, inFlight, isAwake) : null;
  if (awake !== null) return awake;
  let idle: Seat<Worker> | null = null;
  for (const seat of seats) {
    if (seat.inFlight === 0 && !seat.retired && (idle === null || seat.turn < idle.turn)) idle = seat;
  }
  return idle ?? least(seats, burden, hasRoom, lastAnswer);
}

/** One that is silent while others answer may be blocked: it gets a second connection when those have many. */
function burden({ inFlight, heard }: Seat<unknown>, lastAnswer: number): number {
  return lastAnswer - heard < FRESH_MS ? inFlight : inFlight + SILENT;
}

/** It has work, room, and will get to it: nothing has to be woken. A stock worker has no room while it has work. */
function isAwake({ inFlight, window, retired, heard }: Seat<unknown>, now: number): boolean {
  return inFlight > 0 && window > 1 && inFlight < FILL && !retired && now - heard < FRESH_MS;
}

function enoughAreAwake(seats: readonly Seat<unknown>[]): boolean {
  const now = performance.now();
  let awake = 0;
  for (const seat of seats) if (isAwake(seat, now)) awake++;
  return awake >= AWAKE;
}

const inFlight = (seat: Candidate): number => seat.inFlight;

function leastConnections<Worker>(seats: readonly Seat<Worker>[]): Seat<Worker> | null {
  return least(seats, load, hasRoom);
}

const load = ({ open, inFlight, weight }: Candidate): number => (open + inFlight) / weight;

/** Of the seats that pass the test the one with the least; among equals the one that has waited longest. */
function least<Worker>(
  seats: readonly Seat<Worker>[], measure: (seat: Seat<unknown>, lastAnswer: number) => number, test: (seat: Seat<unknown>, now: number) => boolean, lastAnswer = 0,
): Seat<Worker> | null {
  const now = performance.now();
  let best: Seat<Worker> | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const seat of seats) {
    if (!test(seat, now)) continue;
    const measured = measure(seat, lastAnswer);
    if (measured < fewest || (measured === fewest && seat.turn < (best as Seat<Worker>).turn)) {
      best = seat;
      fewest = measured;
    }
  }
  return best;
}

function randomTwo<Worker>(seats: readonly Seat<Worker>[]): Seat<Worker> | null {
  const now = performance.now();
  let free = 0;
  for (const seat of seats) if (hasRoom(seat, now)) free++;
  if (free === 0) return null;
  const first = Math.floor(Math.random() * free);
  const second = free === 1 ? first : (first + 1 + Math.floor(Math.random() * (free - 1))) % free;
  let one: Seat<Worker> | null = null;
  let other: Seat<Worker> | null = null;
  let at = -1;
  for (const seat of seats) {
    if (!hasRoom(seat, now)) continue;
    at++;
    if (at === first) one = seat;
    if (at === second) other = seat;
  }
  return load(other as Seat<Worker>) < load(one as Seat<Worker>) ? other : one;
}

/** Each slot draws a number for the client, the highest has it: the others' numbers never change. */
function sticky<Worker>(seats: readonly Seat<Worker>[], connection: NativeHandle, lastAnswer: number): Seat<Worker> | null {
  const { remoteAddress } = peerName(connection);
  if (remoteAddress === undefined) return roundRobin(seats, connection, lastAnswer);
  const client = hash(remoteAddress);
  let best: Seat<Worker> | null = null;
  let highest = -1;
  for (const seat of seats) {
    const drawn = scatter(client ^ imul(seat.slot + 1, 0x9e3779b1));
    if (canBeNamed(seat) && drawn > highest) {
      best = seat;
      highest = drawn;
    }
  }
  return best;
}

const canBeNamed = (seat: Seat<unknown>): boolean => !seat.retired && seat.inFlight < MOST;

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
 * The program's function as a rule. What it does wrong is told once, and costs no connection. It may throw,
 * and it may change who listens here while it runs: what it names counts by what is true afterwards.
 */
function ruleOf(scheduler: Scheduler): Rule {
  let warned = false;
  const warn = (what: string): void => {
    if (warned) return;
    warned = true;
    separately(() => process.emitWarning(`The scheduling function ${what}; such connections go by round robin`, 'ClusterSchedulingWarning'));
  };
  return (seats, connection, lastAnswer) => {
    const candidates = seats.filter(canBeNamed).map(({ id, inFlight, open, weight }) => ({ id, inFlight, open, weight }));
    if (candidates.length === 0) return null;
    try {
      const chosen: unknown = scheduler(peerName(connection), candidates);
      const id = typeof chosen === 'number' ? chosen : (chosen as { id?: unknown } | null | undefined)?.id;
      const seat = seats.find((one) => one.id === id && canBeNamed(one));
      if (seat !== undefined) return seat;
      warn(`named ${id === undefined ? 'no worker' : `worker ${String(id)}, which does not listen there`}`);
    } catch (error) {
      warn(`threw ${textOf(error)}`);
    }
    return roundRobin(seats.filter(canBeNamed), connection, lastAnswer);
  };
}

/** What a program has thrown can be anything, also what has no text. */
function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'something that cannot be turned into text';
  }
}
