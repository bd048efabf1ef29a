/**
 * A server of this worker that accepts by itself from a socket which it shares with other workers, under
 * `scheduling: 'shared'`: counts what it accepts, reports that to the primary, and stops accepting while it is at its
 * quota.
 *
 *   accepting ── at its quota, or full ──► paused ── a higher quota, connections have ended, IDLE_MS ──► accepting
 *                                           │  ▲
 *                               each TICK_MS ▼  │ nothing waits
 *                                         looking ── a connection waits ──► accepting, `step` beyond the quota
 *
 * While it is paused its socket is not in epoll: the kernel does not wake this process, and connections go to the others.
 *
 * No connection waits for a worker that is busy or dead. A paused worker looks at the socket every TICK_MS. If it finds a
 * connection there, the workers that may accept do not, and it accepts a few more itself. If it has reported and the
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
 * Keeps    1. reports are REPORT_MS apart, or follow a pause: no message per connection
 *          2. after close() nothing is reported, and no timer runs
 * Costs    for each connection two comparisons and an addition
 * Wire     W → P progress(key, total, open, full, found)      P → W quota(key, upTo, mostOpen, step)
 * Node     a worker under SCHED_NONE accepts whatever it is woken for (D63)
 */
import { Number, performance, timers } from '../builtins';
import { lastFd, nextFd } from '../fds';
import type { Progress, Quota } from '../messages';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import { setAccepting } from '../native/listening';
import { openConnections } from '../native/servers';
import { traceState } from '../trace';
import { hasRoom, type Limited } from './deliveries';

/** Milliseconds between two looks of a paused worker. A connection that nobody accepts waits that long, at most. */
const TICK_MS = 25;
/** Milliseconds between two reports of what was accepted, at least. */
const REPORT_MS = 70;
/** Milliseconds after which a paused worker reports again, to learn whether the primary still answers. */
const ASK_MS = 100;
/** After this many milliseconds without an answer of the primary the worker goes on without a quota. */
const ALONE_MS = 500;
/** Milliseconds without a connection after which the timer ends, and a pause with it: nothing is to be shared. */
const IDLE_MS = 1000;
/** Connections that a worker accepts at a time beyond its quota until the primary has said more. */
const FIRST_STEP = 8;
/** Fds of the process that are not used for connections. */
const RESERVED_FDS = 8;

/** Time in milliseconds, and timers. A test gives its own. */
export interface PauseClock {
  now(): number;
  /** Calls back every `ms` milliseconds. The timer does not keep the process alive until its `ref` is called. */
  every(ms: number, callback: () => void): PauseTimer;
  /** Calls back once, after the next poll phase of the event loop. */
  afterPoll(callback: () => void): void;
}

/** A timer that runs until `stop`. */
export interface PauseTimer {
  /** Does it keep the process alive? */
  hold(process: boolean): void;
  stop(): void;
}

const processClock: PauseClock = {
  now: () => performance.now(),
  every(ms, callback) {
    const timer = timers.setInterval(callback, ms).unref();
    return { hold: (process) => void (process ? timer.ref() : timer.unref()), stop: () => timers.clearInterval(timer) };
  },
  afterPoll: (callback) => void timers.setImmediate(callback),
};

/** Read once: the first server of a worker that accepts by itself. */
let highest: number | undefined;
const highestFd = (): number => highest ??= lastFd(RESERVED_FDS);

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
  #state: AcceptState = 'accepting';
  #timer: PauseTimer | undefined;
  #total = 0;
  #upTo = Number.POSITIVE_INFINITY;
  #mostOpen = Number.POSITIVE_INFINITY;
  #step = FIRST_STEP;
  #full = false;
  /** Are the fds of the process running out? */
  #lacksFds = false;
  #acceptedAt = 0;
  #reported: { readonly total: number; readonly open: number; readonly full: boolean } = { total: 0, open: 0, full: false };
  #reportedAt = Number.NEGATIVE_INFINITY;
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

  /** To be called once the server's close leads to `close()`: this reads properties of the app's server. It may have no room from the start. */
  begin(): void {
    this.#decide(openConnections(this.#server));
  }

  readonly #onConnection = (errno: number, connection: NativeHandle): void => {
    // Before the app's listeners run: they may throw, or close the server.
    if (errno || (connection.fd ?? 0) >= highestFd()) this.#lacksFds = true;
    if (!errno) this.#accepted();
    else this.#decide(openConnections(this.#server));
    this.#accept?.call(this.#handle, errno, connection);
  };

  /** Gives the server a connection that the primary had. It is not counted: this worker did not take it from the others. */
  connection(handle: NativeHandle): void {
    if (this.#accept === null) return handle.close();
    this.#decide(openConnections(this.#server) + 1); // It may be the last one for which the server has room.
    this.#accept.call(this.#handle, 0, handle);
  }

  /** The primary has computed a quota. Without `upTo` or `mostOpen` there is no such bound. */
  quota({ upTo = Number.POSITIVE_INFINITY, mostOpen = Number.POSITIVE_INFINITY, step }: Pick<Quota, 'upTo' | 'mostOpen' | 'step'>): void {
    if (this.#state === 'closed') return;
    this.#unansweredSince = Number.POSITIVE_INFINITY;
    this.#upTo = upTo;
    this.#mostOpen = mostOpen;
    this.#step = step;
    this.#decide(openConnections(this.#server));
  }

  /** The server has closed its handle, or is about to. */
  close(): void {
    this.#stop();
    if (this.#state !== 'closed') this.#transition('closed');
  }

  #accepted(): void {
    this.#total++;
    this.#acceptedAt = this.#clock.now();
    const open = openConnections(this.#server) + 1;
    const found = this.#state === 'looking';
    if (found) {
      // Nobody else has accepted it.
      if (this.#total >= this.#upTo) this.#upTo = this.#total + this.#step;
      if (open >= this.#mostOpen) this.#mostOpen = open + this.#step;
    }
    this.#timer ??= this.#clock.every(TICK_MS, this.#tick);
    this.#decide(open);
    if (found && this.#state === 'accepting') this.#send(open, true);
  }

  /** Accepts or pauses, as the numbers say. `open`: how many connections the server has, with one that it is about to get. */
  #decide(open: number): void {
    this.#full = this.#isFull(open);
    if (this.#state === 'closed') return; // The getter of the app may have closed the server just now.
    const mayAccept = !this.#full && this.#total < this.#upTo && open < this.#mostOpen;
    if (mayAccept && this.#state !== 'accepting') {
      this.#transition('accepting');
      setAccepting(this.#handle, true);
    } else if (!mayAccept && this.#state !== 'paused') {
      const wasAccepting = this.#state === 'accepting';
      this.#transition('paused');
      setAccepting(this.#handle, false);
      this.#timer ??= this.#clock.every(TICK_MS, this.#tick);
      if (wasAccepting) this.#send(open);
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
    if (this.#lacksFds) this.#lacksFds = nextFd() >= highestFd();
    const isIdle = now - this.#acceptedAt >= IDLE_MS;
    if (isIdle || now - this.#unansweredSince >= ALONE_MS) this.#upTo = this.#mostOpen = Number.POSITIVE_INFINITY;
    this.#decide(open);
    if (this.#timer === undefined) return; // The server was closed in `#decide`.
    if (this.#state === 'paused') this.#look();
    if (now - this.#reportedAt >= (this.#hasNews(open) ? REPORT_MS : this.#state === 'accepting' ? Infinity : ASK_MS)) this.#send(open);
    // A paused socket does not keep the process alive, as it does while it accepts.
    this.#timer.hold(this.#state !== 'accepting' && this.#handle.hasRef?.() !== false);
    if (this.#state === 'accepting' && isIdle) this.#stop();
  };

  #hasNews(open: number): boolean {
    const { total, open: before, full } = this.#reported;
    return total !== this.#total || before !== open || full !== this.#full;
  }

  /** Does a connection wait in the shared socket? It is accepted in this turn of the event loop, or there is none. */
  #look(): void {
    if (this.#full) return;
    this.#transition('looking');
    setAccepting(this.#handle, true);
    this.#clock.afterPoll(() => {
      if (this.#state !== 'looking') return;
      this.#transition('paused');
      setAccepting(this.#handle, false);
    });
  }

  #stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }

  /** `found`: a look has found a connection, so the workers that may accept do not. */
  #send(open: number, found = false): void {
    this.#reported = { total: this.#total, open, full: this.#full };
    this.#reportedAt = this.#clock.now();
    if (this.#unansweredSince === Infinity) this.#unansweredSince = this.#reportedAt;
    this.#report({ total: this.#total, open, ...(this.#full ? { full: true } : {}), ...(found ? { found: true } : {}) });
  }

  #transition(to: AcceptState): void {
    const from = this.#state;
    this.#state = to;
    // A look that finds nothing is no event: there are forty per second.
    if (to !== 'looking' && !(from === 'looking' && to === 'paused')) traceState(this.#name, from === 'looking' ? 'paused' : from, to);
  }
}
