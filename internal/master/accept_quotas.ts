/**
 * The rule of `scheduling: 'shared'` at one address: how far each worker may go on accepting. The workers accept by
 * themselves from one shared socket, and the kernel wakes the same ones again and again. All workers report at the same
 * moments, four times a second, how many connections they have accepted; from these numbers this file computes a quota
 * for each worker. A worker that reaches its quota stops accepting (child/accept_pause.ts). A quota grows by itself, at
 * the pace at which connections came lately, so while all have the same nothing needs to be sent.
 *
 *   count     what a worker has accepted, divided by its weight
 *   low       the lowest count of a worker that competes
 *   pace      what a worker of weight 1 gets in a millisecond if all get the same: the connections of all workers, divided by
 *             the weights of those that compete. It follows at once when more connections come, and step by step when fewer do
 *   bound     what the pace gives in WINDOW_MS, and at least LEAST_BOUND
 *   quota     `low` + `bound` at the moment of the computation, and from then on HEADROOM times `pace` more in each millisecond
 *   forgiven  a worker that is more than LEAD times `bound` ahead of `low`, and more than the pace gives in LEAD_MS, is counted
 *             as if it were that far ahead, and one that did not compete as if it had `low`: what was uneven for a while is not paid back for long
 *   open      each worker's share of all open connections, by its weight, plus SLACK of it, plus LEAST_OPEN, plus what the
 *             pace gives in WINDOW_MS: those have come just now, and may end at once. A worker that has that many open is at
 *             its quota, too. Workers that are absent or full have no share: nobody waits until they have it
 *
 * Workers that do not compete for connections do not count for `low`: a worker at its `maxConnections`, one at its bound of
 * open connections, one whose event loop was late, and one that is absent. A worker becomes absent if paused workers keep
 * finding connections in the socket while it is below its quota, and has accepted less than half of its part in the last
 * period: it could have accepted them, and did not. It is present again when it reports that it has accepted something.
 * With fewer than two workers that compete there is no quota.
 *
 * Owns     one timer, until the next computation. It does not keep the process alive
 * Used by  shared_accept_handle.ts, one for each address
 * Keeps    1. after each computation at least one worker that competes is below its quota
 *          2. a report costs the same whatever it says, and computations are SPACING_MS apart: neither a lie nor a flood
 *             costs the primary more. What a worker reports changes quotas, and nothing else
 *          3. a worker that reports nothing, because it is stopped, gets MOST_UNHEARD quotas at most: its pipe does not fill
 *          4. a quota is sent when it matters: the worker has gone beyond the last one, or would differ from it by half of
 *             `bound` before the next report. A quota that grows too fast does not matter until the worker is ahead
 * Costs    four messages a second from each worker that accepts, and up to four to it, whatever the number of connections
 * Decided  `low` is the lowest count, not that of the lower half: with the half, three of eight workers can get nothing for
 *          ever. The pace is what keeps others from having to wait for the lowest one
 * Falls short  a worker that claims to have accepted very many raises the pace: the others are then as uneven as under SCHED_NONE
 * Node     under SCHED_NONE the kernel decides alone (D63)
 */
import { Map, Math, Number, performance, timers } from '../builtins';
import type { Progress, Quota } from '../messages';

/** Milliseconds between two computations, at least. */
const SPACING_MS = 100;
/** Milliseconds from the first report to the computation: all workers report within TICK_MS (child/accept_pause.ts), if they are not busy. */
const GATHER_MS = 40;
/** Milliseconds between two reports of a worker (REPORT_MS in child/accept_pause.ts). */
const REPORT_MS = 250;
/** Milliseconds of connections that a worker may be ahead. */
const WINDOW_MS = 75;
/** Quotas grow faster than connections come: otherwise all workers would be at their quotas again and again, and connections would wait. */
const HEADROOM = 1.25;
/** Connections that a worker may be ahead when few connections come, or right at the start. */
const LEAST_BOUND = 8;
/** A worker that is further ahead than LEAD times the bound, and than what comes to a worker in LEAD_MS, is forgiven the rest. */
const LEAD = 3;
const LEAD_MS = 500;
/** Milliseconds over which the pace is measured, at least. */
const SAMPLE_MS = 200;
/**
 * After so many milliseconds without a measurement nothing had come for a while, and the first report covers a part of a
 * period. What it says is taken for that of BURST_MS: rather too high a pace for the next period than one that makes connections wait.
 */
const STALE_MS = 1000;
const BURST_MS = 100;
/** A worker may have more open connections than its share by this part of it. */
const SLACK = 0.1;
/** Open connections that a worker may have beyond that. Below some dozens the numbers say nothing: they change too fast. */
const LEAST_OPEN = 16;
/** A worker that reports gets an answer after so many milliseconds at the latest, so that it knows that the primary lives. */
const ANSWER_MS = 1000;
/** The most quotas that are sent to a worker between two reports. */
const MOST_UNHEARD = 4;
/** No worker accepts more connections between two reports. A lie above that counts as so many: the sums stay exact. */
const MOST_BETWEEN = 1e6;

/** The numbers of a quota; without `upTo` and `mostOpen` the worker accepts without a bound. */
export type QuotaTerms = Pick<Quota, 'upTo' | 'pace' | 'mostOpen' | 'step'>;

/** The time, in milliseconds from any moment on, and timers. For tests. */
export interface QuotaClock {
  now(): number;
  /** Calls back once, after so many milliseconds. Returns a function that cancels this. */
  after(ms: number, callback: () => void): () => void;
}

const processClock: QuotaClock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = timers.setTimeout(callback, ms).unref();
    return () => timers.clearTimeout(timer);
  },
};

interface Part {
  readonly weight: number;
  /** As the worker reported them. */
  total: number;
  open: number;
  full: boolean;
  found: boolean;
  reportedAt: number;
  /** What it had accepted between its last two reports. */
  got: number;
  absent: boolean;
  /** Subtracted from `total`. Negative: the worker counts as if it had accepted so many more, since it is new or did not compete. */
  base: number;
  /** The quota that was sent last, at `sentAt`. */
  upTo: number;
  pace: number;
  mostOpen: number;
  sentAt: number;
  /** Has the worker reported since the last quota was sent to it? */
  waits: boolean;
  /** The number of quotas that were sent to it since its last report. */
  unheard: number;
}

/** The quotas of the workers at one address. */
export class AcceptQuotas<Worker> {
  readonly #send: (worker: Worker, terms: QuotaTerms) => void;
  readonly #clock: QuotaClock;
  readonly #parts = new Map<Worker, Part>();
  #cancel = (): void => {};
  /** When the timer fires; Infinity if it is not set. */
  #due = Number.POSITIVE_INFINITY;
  #computedAt = Number.NEGATIVE_INFINITY;
  /** What all workers have accepted since the last measurement of the pace, and the time of that measurement. */
  #accepted = 0;
  #measuredAt: number;
  /** Connections per millisecond for a worker of weight 1. */
  #pace = 0;
  #low = 0;

  constructor(send: (worker: Worker, terms: QuotaTerms) => void, clock: QuotaClock = processClock) {
    this.#send = send;
    this.#clock = clock;
    this.#measuredAt = clock.now();
  }

  /** The worker accepts here from now on. */
  add(worker: Worker, weight: number): void {
    this.#parts.set(worker, {
      weight, total: 0, open: 0, full: false, found: false, got: 0, reportedAt: Number.NEGATIVE_INFINITY, absent: false, base: -this.#low * weight, waits: false, unheard: 0,
      upTo: Number.POSITIVE_INFINITY, pace: 0, mostOpen: Number.POSITIVE_INFINITY, sentAt: Number.NEGATIVE_INFINITY,
    });
  }

  /** The worker accepts here no more, or never did. Its part goes to the others. */
  remove(worker: Worker): void {
    if (this.#parts.delete(worker)) this.#computeSoon();
  }

  /** The worker has reported. Ignored if it does not accept here. */
  report(worker: Worker, { total: reported, open, full, found }: Pick<Progress, 'total' | 'open' | 'full' | 'found'>): void {
    const part = this.#parts.get(worker);
    if (part === undefined) return;
    const total = Math.min(reported, part.total + MOST_BETWEEN);
    part.got = Math.max(0, total - part.total);
    this.#accepted += part.got;
    if (total !== part.total) part.absent = false;
    part.total = total;
    part.open = open;
    part.full = full === true;
    part.found ||= found === true;
    part.reportedAt = this.#clock.now();
    part.waits = true;
    part.unheard = 0;
    this.#computeSoon();
  }

  close(): void {
    this.#cancel();
    this.#parts.clear();
  }

  #computeSoon(): void {
    this.#computeAt(Math.max(this.#clock.now() + GATHER_MS, this.#computedAt + SPACING_MS));
  }

  #computeAt(time: number): void {
    if (time >= this.#due) return;
    this.#cancel();
    this.#due = time;
    this.#cancel = this.#clock.after(Math.max(0, time - this.#clock.now()), () => {
      this.#due = Number.POSITIVE_INFINITY;
      this.#compute();
    });
  }

  #compute(): void {
    const now = this.#computedAt = this.#clock.now();
    const parts = [...this.#parts.values()];
    if (parts.some(({ found }) => found)) for (const part of parts) part.absent ||= this.#takesLess(part, now);
    const able = parts.filter(({ full, absent }) => !full && !absent);
    const share = able.length >= 2 ? shareOfOpen(able) : Number.POSITIVE_INFINITY;
    const recent = this.#pace * WINDOW_MS;
    const competes = ({ full, absent, open, weight }: Part): boolean => !full && !absent && open < mostOpenOf(share, recent, weight);
    const competing = parts.filter(competes);
    const bounded = competing.length >= 2;
    this.#measure(bounded ? competing : parts, now);
    const countOf = ({ total, base, weight, reportedAt }: Part): number => (
      // A worker whose report is late has gone on meanwhile. Without a report for longer, it had nothing to report.
      (total - base) / weight + (now - reportedAt < REPORT_MS + SPACING_MS ? (now - reportedAt) * this.#pace : 0)
    );
    const counts = (bounded ? competing : parts).map(countOf);
    this.#low = bounded ? Math.min(...counts) : Math.max(this.#low, ...counts);
    const bound = Math.max(LEAST_BOUND, this.#pace * WINDOW_MS);
    const most = this.#low + Math.max(LEAD * bound, this.#pace * LEAD_MS);
    for (const [worker, part] of this.#parts) {
      const count = countOf(part);
      // A worker that does not compete loses nothing and gains nothing meanwhile.
      const counted = Math.min(competes(part) ? count : Math.max(count, this.#low), most);
      part.base += (count - counted) * part.weight;
      part.found = false;
      this.#offer(worker, part, {
        upTo: bounded ? Math.ceil(part.base + (this.#low + bound) * part.weight) : Number.POSITIVE_INFINITY,
        pace: Math.round(HEADROOM * this.#pace * part.weight * 1e4) / 1e4,
        mostOpen: mostOpenOf(share, this.#pace * WINDOW_MS, part.weight),
        step: Math.ceil(bound * part.weight),
      }, now);
    }
  }

  /** Others have found connections that nobody accepted. Could this worker have accepted them, and took less than half of its part? */
  #takesLess(part: Part, now: number): boolean {
    const { found, full, total, open, mostOpen, weight, reportedAt, got } = part;
    if (found || full || total >= known(part, now) || open >= mostOpen) return false;
    return now - reportedAt >= REPORT_MS || got < (this.#pace * weight * REPORT_MS) / 2;
  }

  #measure(competing: readonly Part[], now: number): void {
    const took = now - this.#measuredAt;
    if (took < SAMPLE_MS) return;
    const isFirst = took > STALE_MS;
    const pace = this.#accepted / competing.reduce((sum, { weight }) => sum + weight, 0) / (isFirst ? BURST_MS : took) || 0;
    // Down by halves, or faster from far above: a lie, or a burst, is not in it for long.
    this.#pace = pace > this.#pace || isFirst ? pace : Math.min((this.#pace + pace) / 2, Math.max(4 * pace, this.#pace / 8));
    this.#accepted = 0;
    this.#measuredAt = now;
  }

  /** Sends the worker this quota, if it matters. */
  #offer(worker: Worker, part: Part, offered: Required<{ [Name in keyof QuotaTerms]: number }>, now: number): void {
    if (!matters(part, offered, now)) {
      if (part.waits) this.#computeAt(part.sentAt + ANSWER_MS);
      return;
    }
    const { upTo, pace, mostOpen, step } = offered;
    part.upTo = upTo;
    part.pace = pace;
    part.mostOpen = mostOpen;
    part.sentAt = now;
    part.waits = false;
    part.unheard++;
    // A number that is too large for a message is no bound. After a lie one can be negative.
    const most = Number.MAX_SAFE_INTEGER;
    this.#send(worker, { step: Math.min(step, most), ...(upTo > most ? {} : { upTo: Math.max(0, upTo), pace }), ...(mostOpen > most ? {} : { mostOpen }) });
  }
}

/** The quota that the worker knows, as it has grown until now. */
const known = ({ upTo, pace, sentAt }: Part, now: number): number => (upTo === Infinity ? upTo : upTo + pace * (now - sentAt));

function matters(part: Part, { upTo, pace, mostOpen, step }: { readonly [Name in 'upTo' | 'pace' | 'mostOpen' | 'step']: number }, now: number): boolean {
  const before = known(part, now);
  if (part.waits && (now - part.sentAt >= ANSWER_MS || part.total > before)) return true;
  if (part.unheard >= MOST_UNHEARD) return false;
  if (mostOpen !== part.mostOpen && part.open >= 0.9 * Math.min(mostOpen, part.mostOpen)) return true;
  if (upTo === Infinity || before === Infinity) return upTo !== before;
  const drift = upTo - before;
  if (drift < 0 && drift > -step && part.total <= upTo - step) return false; // It is not ahead: a quota that is too high harms nobody yet.
  return Math.max(Math.abs(drift), Math.abs(drift + (pace - part.pace) * REPORT_MS)) > step / 2;
}

/** `recent`: the connections that came just now. It and `share` are those of a worker of weight 1. */
const mostOpenOf = (share: number, recent: number, weight: number): number => Math.floor((share * (1 + SLACK) + recent) * weight) + LEAST_OPEN;

/** How many open connections these have for each unit of weight. */
function shareOfOpen(parts: readonly Part[]): number {
  let open = 0;
  let weights = 0;
  for (const part of parts) {
    open += part.open;
    weights += part.weight;
  }
  return open / weights;
}
