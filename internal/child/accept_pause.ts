/**
 * A server of this worker that accepts by itself from a socket which it shares with other workers, under
 * `scheduling: 'shared'`: counts what it accepts, reports that to the primary, and stops accepting while it is at its
 * quota.
 *
 *   accepting ── at its quota, or full ──► paused ── the quota has grown, connections have ended, IDLE_MS ──► accepting
 *                                           │  ▲
 *                               each TICK_MS ▼  │ nothing waits
 *                                         looking ── the quota has grown meanwhile ──► accepting
 *
 * While it is paused its socket is not in epoll: the kernel does not wake this process, and connections go to the others.
 * The quota grows by itself, at the pace at which connections came lately (master/accept_quotas.ts). A paused worker goes
 * on when a quarter of `step` has become free.
 *
 * No connection waits for a worker that is busy or dead. A paused worker looks at the socket every TICK_MS, and accepts
 * beyond its quota as long as each turn of its event loop finds a connection there: the workers that may accept do not. A
 * single one can have come just now, so the look ends with the first turn that finds none. A worker that goes on with a
 * tick, and is at its quota again before the next one, looks at once: else it would accept only some in each TICK_MS, even
 * if many more come. If looks have found half of what comes to a worker, the report says so. If it has reported and the
 * primary has not answered for ALONE_MS, it has no quota until it hears from the primary again.
 *
 * Full: the server is at its `maxConnections`, or its last connection has one of the last RESERVED_FDS fds of the process.
 * Without a free fd libuv would close every connection that waits in the socket. That happens if the app takes all fds
 * between two connections.
 *
 * Owns     a timer, from the first connection until nothing has happened for IDLE_MS. It keeps the process alive only in
 *          the place of a paused socket, which does not; the handle belongs to the server
 * Used by  listening.ts, one for each such server
 * Never    accepts while the server is at its `maxConnections`, unless the server wants to drop connections, or the app has
 *          lowered `maxConnections` since the last connection and the last tick
 * Keeps    1. one report in each REPORT_MS: no message per connection
 *          2. after close() nothing is reported, and no timer runs
 * Costs    for each connection some comparisons, and a look at the clock
 * Wire     W → P progress(key, total, open, full, found)      P → W quota(key, upTo, pace, mostOpen, step)
 * Node     a worker under SCHED_NONE accepts whatever it is woken for (D63)
 */
import { Math, Number } from '../builtins';
import { lastFd, nextFd } from '../fds';
import type { Progress, Quota } from '../messages';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import { passToServer, setAccepting } from '../native/listening';
import { openConnections } from '../native/servers';
import { traceState } from '../trace';
import { hasRoom, type Limited } from './deliveries';
import { processClock, type PauseClock, type PauseTimer } from './pause_clock';

/** Milliseconds between two looks of a paused worker. A connection that nobody accepts waits that long, at most. */
const TICK_MS = 10;
/**
 * The length of a period, in milliseconds: each worker reports once in it. All workers of a machine have the same periods,
 * so that the primary compares counts of the same moment, and is woken once for all of them.
 */
const REPORT_MS = 250;
/** Milliseconds after which a paused worker reports again, to learn whether the primary still answers. */
const ASK_MS = 500;
/** After this many milliseconds without an answer of the primary the worker goes on without a quota. */
const ALONE_MS = 1500;
/** Milliseconds without a connection after which the timer ends, and a pause with it: nothing is to be shared. */
const IDLE_MS = 1000;
/** A worker whose timer fires so many milliseconds late cannot take its share, and says so. */
const LATE_MS = 100;
/** Connections that looks find in a period before the report says so, at least. */
const LEAST_FOUND = 8;
/** The step until the primary has sent one: connections that a worker may be ahead of the others. */
const FIRST_STEP = 8;
/** Fds of the process that are not used for connections. */
const RESERVED_FDS = 8;

/** How far the worker may go on, as it knows it. */
interface KnownQuota {
  /** The most connections it may have accepted, at the moment `at`. From then on it grows by `pace` in each millisecond. */
  readonly upTo: number;
  readonly at: number;
  readonly pace: number;
  readonly mostOpen: number;
  readonly step: number;
}

type AcceptState = 'accepting' | 'paused' | 'looking' | 'closed';
type Report = (progress: Pick<Progress, 'total' | 'open' | 'full' | 'found'>) => void;

/** One server that accepts by itself, within its quota. */
export class AcceptPause {
  readonly #name: string;
  readonly #handle: ListeningHandle;
  readonly #server: Limited;
  readonly #report: Report;
  readonly #accept: ListeningHandle['onconnection'];
  readonly #clock: PauseClock;
  /** Read at once: when the fds have run out, nothing can be read. */
  readonly #highestFd = lastFd(RESERVED_FDS);
  #state: AcceptState = 'accepting';
  #timer: PauseTimer | undefined;
  #total = 0;
  #quota: KnownQuota = { upTo: Number.POSITIVE_INFINITY, at: 0, pace: 0, mostOpen: Number.POSITIVE_INFINITY, step: FIRST_STEP };
  /** Connections that looks have found since the last report. */
  #found = 0;
  /** `#total` when the present turn of a look began. */
  #totalBefore = 0;
  /** Is a call of `#afterPoll` pending? A look can end, and another one begin, before it comes. */
  #looksAfterPoll = false;
  /** Was the server full when this was decided last? */
  #full = false;
  /** Are the fds of the process running out? */
  #lacksFds = false;
  /** Has a tick been late since the last report? */
  #late = false;
  #tickedAt = 0;
  /** The last tick that began in a pause. */
  #resumedAt = 0;
  #acceptedAt = 0;
  #reported = { total: 0, open: 0, full: false, at: Number.NEGATIVE_INFINITY };
  /** When a report was sent that the primary has not answered; Infinity if it has answered all. */
  #unansweredSince = Number.POSITIVE_INFINITY;

  /** `handle` (borrowed) is the listening socket of `server`, which listens already. `name` is for the trace. */
  constructor(name: string, handle: ListeningHandle, server: Limited, report: Report, clock: PauseClock = processClock) {
    this.#clock = clock;
    this.#name = name;
    this.#handle = handle;
    this.#server = server;
    this.#report = report;
    this.#accept = handle.onconnection;
    handle.onconnection = this.#onConnection;
  }

  /** To be called once the server's close leads to `close()`: this reads the app's server, which may have no room from the start. */
  begin(): void {
    this.#decide(openConnections(this.#server), this.#clock.now());
  }

  readonly #onConnection = (errno: number, connection: NativeHandle): void => {
    // Before the app's listeners run: they may throw, or close the server.
    if (errno || (connection.fd ?? 0) >= this.#highestFd) this.#lacksFds = true;
    if (!errno) this.#accepted();
    else this.#decide(openConnections(this.#server), this.#clock.now());
    passToServer(this.#handle, this.#accept, errno, connection);
  };

  /** Gives the server a connection that the primary had. It is not counted: this worker did not take it from the others. */
  connection(handle: NativeHandle): void {
    if (this.#accept === null) return handle.close();
    this.#decide(openConnections(this.#server) + 1, this.#clock.now()); // It may be the last one for which the server has room.
    passToServer(this.#handle, this.#accept, 0, handle);
  }

  /** The primary has computed a quota. Without `upTo` or `mostOpen` there is no such bound. */
  quota({ upTo = Number.POSITIVE_INFINITY, pace = 0, mostOpen = Number.POSITIVE_INFINITY, step }: Pick<Quota, 'upTo' | 'pace' | 'mostOpen' | 'step'>): void {
    this.#unansweredSince = Number.POSITIVE_INFINITY;
    const at = this.#clock.now();
    this.#quota = { upTo, at, pace, mostOpen, step };
    this.#decide(openConnections(this.#server), at);
  }

  /** The server has closed its handle, or is about to. */
  close(): void {
    this.#stop();
    if (this.#state !== 'closed') this.#transition('closed');
  }

  #accepted(): void {
    this.#total++;
    const now = this.#acceptedAt = this.#clock.now();
    const open = openConnections(this.#server) + 1;
    if (this.#state === 'looking') this.#found++;
    this.#startTimer(now);
    const before = this.#state;
    this.#decide(open, now);
    if (before === 'accepting' && this.#isPaused() && this.#resumedAt === this.#tickedAt) this.#look(this.#total - 1);
  }

  /** A function, because `#decide` changes the state, which the compiler does not see. */
  #isPaused(): boolean {
    return this.#state === 'paused';
  }

  #startTimer(now: number): void {
    if (this.#timer !== undefined) return;
    this.#tickedAt = now;
    this.#timer = this.#clock.every(TICK_MS, this.#tick);
  }

  /** Accepts or pauses, as the numbers say. `open`: how many connections the server has, with one that it is about to get. */
  #decide(open: number, now: number): void {
    this.#full = this.#isFull(open);
    if (this.#state === 'closed') return; // The getter of the app may have closed the server just now.
    const { upTo, at, pace, mostOpen, step } = this.#quota;
    // A pause and its end cost more than a connection, so there is room for some when it ends.
    const room = this.#state === 'paused' ? step / 4 : 0;
    const mayAccept = !this.#full && this.#total + room < upTo + pace * (now - at) && open < mostOpen;
    if (mayAccept && this.#state !== 'accepting') {
      this.#transition('accepting', upTo === Infinity ? 'no quota' : 'room');
      setAccepting(this.#handle, true);
    } else if (!mayAccept && (this.#state === 'accepting' || (this.#full && this.#state === 'looking'))) {
      this.#transition('paused', this.#lacksFds ? 'fds' : this.#full ? 'maxConnections' : open < mostOpen ? 'quota' : 'open connections');
      setAccepting(this.#handle, false);
      this.#startTimer(now);
      // The others take over its part.
      if (this.#full && !this.#hasReported(now)) this.#send(open, now);
    }
  }

  /** `maxConnections` may be a getter of the app. It may close the server. If it throws, it throws in `net` as well, where the app expects it. */
  #isFull(open: number): boolean {
    try {
      return this.#lacksFds || !hasRoom(this.#server, () => open);
    } catch {
      return false;
    }
  }

  readonly #tick = (): void => {
    const open = openConnections(this.#server);
    const now = this.#clock.now();
    if (this.#lacksFds) this.#lacksFds = nextFd() >= this.#highestFd;
    this.#late ||= now - this.#tickedAt - TICK_MS >= LATE_MS;
    this.#tickedAt = now;
    if (this.#state === 'paused') this.#resumedAt = now;
    const isIdle = now - this.#acceptedAt >= IDLE_MS;
    if (isIdle || now - this.#unansweredSince >= ALONE_MS) this.#quota = { ...this.#quota, upTo: Number.POSITIVE_INFINITY, mostOpen: Number.POSITIVE_INFINITY };
    this.#decide(open, now);
    if (this.#timer === undefined) return; // The server was closed in `#decide`.
    if (this.#state === 'paused') this.#look(this.#total);
    if (this.#isDue(open, now)) this.#send(open, now);
    // A paused socket does not keep the process alive, as it does while it accepts.
    this.#timer.hold(this.#state !== 'accepting' && this.#handle.hasRef?.() !== false);
    if (this.#state === 'accepting' && isIdle) this.#stop();
  };

  /** Is it time for a report? */
  #isDue(open: number, now: number): boolean {
    if (this.#hasReported(now)) return false;
    const { total, open: before, full, at } = this.#reported;
    if (total !== this.#total || before !== open || full !== (this.#full || this.#late)) return true;
    return this.#state !== 'accepting' && now - at >= ASK_MS;
  }

  /** Has it reported in this period? */
  #hasReported(now: number): boolean {
    return Math.floor(now / REPORT_MS) === Math.floor(this.#reported.at / REPORT_MS);
  }

  /**
   * Does a connection wait in the shared socket? It is accepted in this turn of the event loop, or there is none.
   * `before`: the total when this turn began.
   */
  #look(before: number): void {
    if (this.#full) return;
    this.#transition('looking');
    setAccepting(this.#handle, true);
    this.#lookOnce(before);
  }

  #lookOnce(before: number): void {
    this.#totalBefore = before;
    if (this.#looksAfterPoll) return;
    this.#looksAfterPoll = true;
    this.#clock.afterPoll(this.#afterPoll);
  }

  readonly #afterPoll = (): void => {
    this.#looksAfterPoll = false;
    if (this.#state !== 'looking') return;
    if (this.#total > this.#totalBefore) return this.#lookOnce(this.#total);
    this.#transition('paused');
    setAccepting(this.#handle, false);
  };

  #stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }

  #send(open: number, now: number): void {
    const full = this.#full || this.#late;
    const found = this.#found >= Math.max(LEAST_FOUND, (this.#quota.pace * REPORT_MS) / 2);
    this.#reported = { total: this.#total, open, full, at: now };
    this.#late = false;
    this.#found = 0;
    if (this.#unansweredSince === Infinity) this.#unansweredSince = now;
    this.#report({ total: this.#total, open, ...(full ? { full: true } : {}), ...(found ? { found: true } : {}) });
  }

  /** `why`: for the trace. */
  #transition(to: AcceptState, why?: string): void {
    const from = this.#state;
    this.#state = to;
    // A look that finds nothing is no event: there are forty per second.
    if (to !== 'looking' && !(from === 'looking' && to === 'paused')) traceState(this.#name, from === 'looking' ? 'paused' : from, to, why);
  }
}
