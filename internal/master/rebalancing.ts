/**
 * Keeps the open connections of one address even among its workers, although clients keep their connections: a worker that
 * has more than its share is asked to give idle ones back (`returnIdle`), and the scheduler gives each to the worker that
 * has the fewest. So new workers get connections at once, and a worker that stood still gets its share again.
 *
 *   even ── more than BEYOND above its share ──► shedding ── at its share ──► even
 *
 * The rule, each TICK_MS:
 *   share       a worker's part of all connections, by its weight: those that are open, in flight, or queued in the primary.
 *               Without the last two, a worker would give some back while others are on their way
 *   begins      a worker has more than its share and BEYOND of it, and at least one more: small differences stay
 *   goes on     until it is at its share: no second round begins at once
 *   how many    what it has above its share, but all workers together no more than `perSecond` allows
 *   not counted a worker that rejects connections: it has as many as it wants, or is a canary
 *   in vain     a worker that gave nothing when it was asked (its connections are busy, or cannot move) is asked again after
 *               two ticks, then four, up to PATIENCE
 *   late        a worker that is busy may read several questions at once. Each says how many connections it shall keep, so
 *               it does not give the same surplus twice
 *
 * Owns     a timer, while two or more workers take part. It does not keep the process alive
 * Used by  hand_off_queue.ts; settings.ts and index.ts, for the setting
 * Keeps    `perSecond` is never exceeded by more than one tick's part of it
 * Costs    one count per tick in each worker, and a message when it has changed
 * Node     connections stay where they are (D59)
 */
import { Map, Math, timers } from '../builtins';
import { invalidArgValue } from '../errors';
import { checkName, checkRate } from '../validate';
import { isRejecting, type Candidate } from './scheduling';

/** Milliseconds between two looks. Workers count as often (child/open_counts.ts), so each look sees the effect of the one before. */
const TICK_MS = 100;
/** A worker may have more than its share by this part of it before the rule begins. */
const BEYOND = 0.05;
/** The most ticks between two questions to a worker that gives nothing: 6.4 s. */
const PATIENCE = 64;
/** Moves per second of one address, if the program does not say: a tenth of what one CPU could do. */
const PER_SECOND = 500;

/** `setupPrimary({ rebalance })` with its defaults. */
export interface Rebalance {
  /** The most connections of one address that are asked for per second. */
  readonly perSecond: number;
}

/** The setting of a program with its defaults; null: connections stay where they are. Throws ERR_INVALID_ARG_VALUE. */
export function rebalanceFrom(given: boolean | Partial<Rebalance> | undefined): Rebalance | null {
  if (given === undefined || given === false) return null;
  if (given === true) return { perSecond: PER_SECOND };
  if (typeof given !== 'object' || given === null) throw invalidArgValue('options.rebalance', given, 'must be true, false or an object');
  for (const name in given) checkName('options.rebalance', name, ['perSecond']);
  const { perSecond = PER_SECOND } = given;
  return { perSecond: checkRate('options.rebalance.perSecond', perSecond) };
}

/** Asks a worker for `max` idle connections, but for none of the last `keep` that it has. */
type Ask = (max: number, keep: number) => void;

/** A worker that takes part, and the state of the rule for it. */
interface Part {
  readonly perSecond: number;
  readonly ask: Ask;
  shedding: boolean;
  /** The number of connections that it has given since it was asked last. */
  given: number;
  /** Ticks until it may be asked again. */
  wait: number;
  /** The value from which `wait` counts down. */
  patience: number;
}

/** The balance of one address. */
export class Rebalancing<Worker> {
  readonly #candidates: readonly Candidate<Worker>[];
  readonly #queued: () => number;
  readonly #parts = new Map<Worker, Part>();
  #timer: NodeJS.Timeout | undefined;
  /** Moves that the bound allows now. */
  #allowed = 0;

  /** `candidates`: those of the address, a list that changes. `queued`: how many connections wait in the primary. */
  constructor(candidates: readonly Candidate<Worker>[], queued: () => number = () => 0) {
    this.#candidates = candidates;
    this.#queued = queued;
  }

  /** This worker takes part from now on. `ask` asks it for idle connections. */
  add(worker: Worker, { perSecond }: Rebalance, ask: Ask): void {
    this.#parts.set(worker, { perSecond, ask, shedding: false, given: 0, wait: 0, patience: 1 });
    if (this.#parts.size > 1) this.#timer ??= timers.setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** This worker listens no more, or never took part. */
  remove(worker: Worker): void {
    if (!this.#parts.delete(worker) || this.#parts.size > 1) return;
    timers.clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** This worker has given a connection back. */
  returned(giver: Worker): void {
    const part = this.#parts.get(giver);
    if (part !== undefined) part.given++;
  }

  #tick(): void {
    let all = this.#queued();
    let weights = 0;
    let perSecond = 0;
    for (const candidate of this.#candidates) {
      const part = this.#parts.get(candidate.worker);
      if (part === undefined || candidate.retired || isRejecting(candidate)) continue;
      all += has(candidate);
      weights += candidate.weight;
      perSecond = Math.max(perSecond, part.perSecond);
    }
    const each = (perSecond * TICK_MS) / 1000;
    this.#allowed = Math.min(this.#allowed + each, Math.max(1, each));
    for (const candidate of this.#candidates) {
      const part = this.#parts.get(candidate.worker);
      if (part !== undefined && !candidate.retired && !isRejecting(candidate)) this.#shed(part, has(candidate), (all * candidate.weight) / weights);
    }
  }

  /** Asks a worker for what it has above its share, if the rule says so. */
  #shed(part: Part, count: number, share: number): void {
    if (!part.shedding && count <= share + Math.max(1, share * BEYOND)) return;
    const excess = Math.floor(count - share);
    if (!part.shedding) part.given = 1; // The first question of a round follows none that was in vain.
    part.shedding = excess > 0;
    if (!part.shedding || --part.wait > 0) return;
    const max = Math.min(excess, Math.floor(this.#allowed + 1e-6)); // Ten tenths are a little less than one.
    if (max < 1) return;
    // If the last question has brought connections, it is asked again with the next tick, otherwise later each time.
    part.patience = part.given > 0 ? 1 : Math.min(part.patience * 2, PATIENCE);
    part.wait = part.patience;
    part.given = 0;
    this.#allowed = Math.max(0, this.#allowed - max);
    part.ask(max, count - excess);
  }
}

/** The connections that a worker has, or is about to have. */
const has = ({ open, inFlight }: Candidate<unknown>): number => open + inFlight;
