/**
 * The rule of `scheduling: 'shared'` at one address: how far each worker may go on accepting. The workers accept by
 * themselves from one shared socket, and the kernel wakes the same ones again and again. Each worker reports how many
 * connections it has accepted; from these numbers this file computes a quota for each worker. A worker that reaches its
 * quota stops accepting until it gets a higher one (child/accept_pause.ts).
 *
 *   count     what a worker has accepted, divided by its weight
 *   low       the count of the k-th lowest worker, k = half of the workers. So half of them may always accept, and
 *             one worker that accepts nothing stops nobody
 *   bound     what `low` rises by in WINDOW_MS, and at least LEAST_BOUND
 *   quota     `low` + `bound`. A worker reaches it only if the kernel prefers it
 *   forgiven  a worker that is more than `bound` below `low` is counted as if it were `bound` below: a worker that
 *             was busy, or is new, does not get everything until it has caught up
 *   open      each worker's share of all open connections, by its weight, plus SLACK of it, plus LEAST_OPEN. A worker that
 *             has that many open is at its quota, too. Workers that are absent or at their `maxConnections` have no share:
 *             nobody waits until they have it
 *
 * Workers that do not compete for connections do not count for `low`: a worker that is at its `maxConnections` or at its
 * bound of open connections, and a worker that is absent. A worker becomes absent if it is below its quota and reports
 * nothing between two moments, SILENT_MS or more apart, at which a paused worker finds a connection in the socket: it could
 * have accepted, and does not. It is present again with its next report.
 * With fewer than two workers that compete there is no quota.
 *
 * Owns     one timer, until the next computation. It does not keep the process alive
 * Used by  shared_accept_handle.ts, one for each address
 * Keeps    1. after each computation at least one worker that competes is below its quota
 *          2. a report costs the same whatever it says, and computations are SPACING_MS apart: neither a lie nor a flood
 *             costs the primary more. What a worker reports changes quotas, and nothing else
 *          3. a worker that reports nothing, because it is stopped, gets MOST_UNHEARD quotas at most: its pipe does not fill
 *          4. a quota is sent when it matters: the worker has reached the last one, or it differs by half of `bound`
 * Decided  the numbers come from trials of earlier versions, and have not been measured as they are (bench/README.md,
 *          "Shared accept")
 * Node     under SCHED_NONE the kernel decides alone (D63)
 */
import { Map, Math, Number, performance, timers } from '../builtins';
import type { Progress, Quota } from '../messages';

/** Milliseconds between two computations: workers of a machine that is full wait that long for a higher quota, at most. */
const SPACING_MS = 10;
/** Milliseconds of connections that a worker may be ahead: a tenth of what it accepts in a second. */
const WINDOW_MS = 100;
/** Connections that a worker may be ahead when few connections come, or right at the start. */
const LEAST_BOUND = 8;
/** Milliseconds over which the speed of `low` is measured. */
const SAMPLE_MS = 50;
/** A worker may have more open connections than its share by this part of it. */
const SLACK = 0.1;
/** Open connections that a worker may have beyond that. Below some dozens the numbers say nothing: they change too fast. */
const LEAST_OPEN = 16;
/** Workers that accept report more often than this, in milliseconds (REPORT_MS in child/accept_pause.ts). */
const SILENT_MS = 90;
/** A worker that reports gets an answer after so many milliseconds at the latest, so that it knows that the primary lives. */
const ANSWER_MS = 200;

/** The most quotas that are sent to a worker between two reports. One that accepts reports when it has reached a quota, and gets the next one. */
const MOST_UNHEARD = 4;
/** No worker accepts more connections between two reports. A lie above that counts as so many: the sums stay exact. */
const MOST_BETWEEN = 1e6;

/** The numbers of a quota; without `upTo` and `mostOpen` the worker accepts without a bound. */
export type QuotaTerms = Pick<Quota, 'upTo' | 'mostOpen' | 'step'>;

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
  /** When another worker found a connection that this one could have accepted, if it has reported nothing since; else Infinity. */
  silentSince: number;
  absent: boolean;
  /** Subtracted from `total`; 0 or negative. The worker counts as if it had accepted so many more: it is new, or was forgiven. */
  base: number;
  /** The quota that was sent last. */
  upTo: number;
  mostOpen: number;
  sentAt: number;
  /** Has the worker reported since the last quota was sent to it? */
  waits: boolean;
  /** The number of quotas that were sent to it since its last report. */
  unheard: number;
  /** Has the worker found a connection beyond its quota since the last computation? */
  found: boolean;
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
  /** The value of `low` at the last measurement of its speed, and the time of that measurement. */
  #sample = { low: 0, at: 0 };
  /** Connections per millisecond by which `low` rises. */
  #speed = 0;
  #low = 0;

  constructor(send: (worker: Worker, terms: QuotaTerms) => void, clock: QuotaClock = processClock) {
    this.#send = send;
    this.#clock = clock;
    this.#sample.at = clock.now();
  }

  /** The worker accepts here from now on. */
  add(worker: Worker, weight: number): void {
    const base = -this.#low * weight;
    this.#parts.set(worker, {
      weight, total: 0, open: 0, full: false, silentSince: Number.POSITIVE_INFINITY, absent: false, base, waits: false, unheard: 0, found: false,
      upTo: Number.POSITIVE_INFINITY, mostOpen: Number.POSITIVE_INFINITY, sentAt: Number.NEGATIVE_INFINITY,
    });
  }

  /** The worker accepts here no more, or never did. Its part goes to the others at once. */
  remove(worker: Worker): void {
    if (this.#parts.delete(worker)) this.#computeSoon();
  }

  /** The worker has reported. Ignored if it does not accept here. */
  report(worker: Worker, { total, open, full, found }: Pick<Progress, 'total' | 'open' | 'full' | 'found'>): void {
    const part = this.#parts.get(worker);
    if (part === undefined) return;
    part.total = Math.min(total, part.total + MOST_BETWEEN);
    part.unheard = 0;
    part.open = open;
    part.full = full === true;
    part.absent = false;
    part.silentSince = Number.POSITIVE_INFINITY;
    part.waits = true;
    part.found ||= found === true;
    this.#computeSoon();
  }

  close(): void {
    this.#cancel();
    this.#due = Number.POSITIVE_INFINITY;
    this.#parts.clear();
  }

  #computeSoon(): void {
    this.#computeAt(this.#computedAt + SPACING_MS);
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
    if (parts.some(({ found }) => found)) parts.forEach((part) => this.#suspect(part, now));
    const able = parts.filter(({ full, absent }) => !full && !absent);
    const share = able.length >= 2 ? shareOfOpen(able) : Number.POSITIVE_INFINITY;
    const competes = ({ full, absent, open, weight }: Part): boolean => !full && !absent && open < mostOpenOf(share, weight);
    const competing = parts.filter(competes);
    const bounded = competing.length >= 2;
    if (bounded) {
      const counts = competing.map(countOf).sort((one, other) => one - other);
      this.#low = counts[Math.max(0, Math.floor(counts.length / 2) - 1)] as number;
    } else {
      this.#low = Math.max(this.#low, ...parts.map(countOf));
    }
    this.#measure(now);
    const bound = Math.max(LEAST_BOUND, this.#speed * WINDOW_MS);
    for (const [worker, part] of this.#parts) {
      // A worker that does not compete loses nothing and gains nothing meanwhile.
      const least = competes(part) ? this.#low - bound : this.#low;
      if (countOf(part) < least) part.base = part.total - least * part.weight;
      part.found = false;
      const upTo = bounded ? Math.ceil(part.base + (this.#low + bound) * part.weight) : Number.POSITIVE_INFINITY;
      const mostOpen = mostOpenOf(share, part.weight);
      const step = Math.ceil(bound * part.weight);
      if (this.#matters(part, upTo, mostOpen, step, now)) this.#publish(worker, part, upTo, mostOpen, step, now);
      else if (part.waits) this.#computeAt(part.sentAt + ANSWER_MS);
    }
  }

  /** A paused worker has found a connection. Could this worker have accepted it? */
  #suspect(part: Part, now: number): void {
    if (part.found || part.full || part.total >= part.upTo || part.open >= part.mostOpen) return;
    if (part.silentSince === Infinity) part.silentSince = now;
    else if (now - part.silentSince >= SILENT_MS) part.absent = true;
  }

  #measure(now: number): void {
    const took = now - this.#sample.at;
    if (took < SAMPLE_MS) return;
    const speed = Math.max(0, (this.#low - this.#sample.low) / took);
    // After a time without a report the old speed says nothing.
    this.#speed = took < 10 * SAMPLE_MS ? (this.#speed + speed) / 2 : speed;
    this.#sample = { low: this.#low, at: now };
  }

  #matters(part: Part, upTo: number, mostOpen: number, step: number, now: number): boolean {
    const { total, open, waits, sentAt } = part;
    if (waits && (total >= part.upTo || open >= part.mostOpen || now - sentAt >= ANSWER_MS)) return true;
    if (part.unheard >= MOST_UNHEARD || (upTo === part.upTo && mostOpen === part.mostOpen)) return false;
    return total >= part.upTo || open >= part.mostOpen || Math.abs(upTo - part.upTo) > step / 2;
  }

  #publish(worker: Worker, part: Part, upTo: number, mostOpen: number, step: number, now: number): void {
    part.upTo = upTo;
    part.mostOpen = mostOpen;
    part.sentAt = now;
    part.waits = false;
    part.unheard++;
    // A number that is too large for a message is no bound. After a lie one can be negative.
    const most = Number.MAX_SAFE_INTEGER;
    this.#send(worker, { step: Math.min(step, most), ...(upTo > most ? {} : { upTo: Math.max(0, upTo) }), ...(mostOpen > most ? {} : { mostOpen }) });
  }
}

const countOf = ({ total, base, weight }: Part): number => (total - base) / weight;
const mostOpenOf = (share: number, weight: number): number => Math.floor(share * weight * (1 + SLACK)) + LEAST_OPEN;

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
