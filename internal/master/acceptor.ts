/**
 * The listening socket of one address: accepts connections, unless there are too many. What it does
 * not accept waits in the kernel's backlog, and its client does not notice.
 *
 *             queue at its limit ──► full ── queue at half of it ──► accepting
 *   accepting ─┤
 *             fds run out, error ──► resting ── an fd is free, or REST_MS later; none waits ──► accepting
 *
 * Owns     the listening handle and the timer of a rest; both end with `close`
 * Used by  round_robin_handle.ts, which owns each connection that it is given
 * Never    accepts in a loop what it has no fd for: without a rest an error would come in every turn
 *          of the event loop, as long as a client waits
 * Costs    a connection: two comparisons, and one question for the number of its fd
 * Node     accepts whatever comes; libuv closes the clients it has no fd for at once (D33, D34)
 */
import { readFileSync } from 'node:fs';
import { Math, Number, timers } from '../builtins';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import { setAccepting } from '../native/listening';
import { traceState } from '../trace';

/** Milliseconds for which nothing is accepted when there was no fd for it. */
export const REST_MS = 100;

type AcceptState = 'accepting' | 'full' | 'resting' | 'closed';

/** How much may be accepted. */
export interface AcceptLimits {
  /** Connections that wait in the primary. */
  readonly queuedConnections: number;
  /** fds of the process that are kept for other things than connections. */
  readonly reservedFds: number;
}

/** Accepts on one address. */
export class Acceptor {
  readonly #key: string;
  readonly #handle: ListeningHandle;
  readonly #highestFd: number;
  readonly #accepted: (connection: NativeHandle) => void;
  #mostQueued: number;
  #queued = 0;
  #state: AcceptState = 'accepting';
  #rest: NodeJS.Timeout | undefined;

  /** `handle` is transferred; each connection is transferred to `accepted`. */
  constructor(key: string, handle: ListeningHandle, limits: AcceptLimits, accepted: (connection: NativeHandle) => void) {
    this.#key = key;
    this.#handle = handle;
    this.#mostQueued = limits.queuedConnections;
    this.#highestFd = lastFd(limits.reservedFds);
    this.#accepted = accepted;
    handle.onconnection = this.#onConnection;
  }

  readonly #onConnection = (errno: number, connection: NativeHandle): void => {
    if (errno) return this.#takeRest(); // Nothing was accepted; the next one may be.
    // The kernel gives the lowest number that is free: when it is high, all below are taken.
    if ((connection.fd ?? 0) >= this.#highestFd) this.#takeRest();
    this.#accepted(connection);
  };

  /** So many connections wait now. */
  queued(count: number): void {
    this.#queued = count;
    if (this.#state === 'accepting') {
      if (count >= this.#mostQueued) this.#transition('full');
    } else if (this.#state === 'full' && count <= this.#mostQueued / 2) {
      this.#transition('accepting');
    }
  }

  /** A connection is the worker's alone: its fd is free here. */
  freed(): void {
    if (this.#state === 'resting') this.#endRest();
  }

  /** Other connections may wait from now on. */
  limit(mostQueued: number): void {
    this.#mostQueued = mostQueued;
    this.queued(this.#queued);
  }

  /** Does it hold the process? */
  hold(process: boolean): void {
    if (process) this.#handle.ref();
    else this.#handle.unref();
  }

  close(): void {
    timers.clearTimeout(this.#rest);
    this.#transition('closed');
    this.#handle.close();
  }

  #takeRest(): void {
    if (this.#state === 'closed' || this.#state === 'resting') return;
    this.#transition('resting');
    this.#rest = timers.setTimeout(this.#endRest, REST_MS);
  }

  readonly #endRest = (): void => {
    // Each connection that waits has an fd: more of them would be worse.
    if (this.#queued > 0) {
      this.#rest?.refresh();
    } else {
      timers.clearTimeout(this.#rest);
      this.#transition('accepting');
    }
  };

  #transition(to: AcceptState): void {
    const from = this.#state;
    traceState(`${this.#key} accept`, from, to);
    this.#state = to;
    if (to === 'accepting') setAccepting(this.#handle, true);
    else if (from === 'accepting' && to !== 'closed') setAccepting(this.#handle, false);
  }
}

/** From this number on an fd is one of the last: so many are reserved, a quarter of all at most. */
function lastFd(reserved: number): number {
  const most = mostFds();
  return most - Math.min(reserved, most / 4);
}

/**
 * Is this listening socket one of the last fds? Connections leave twice as many of them free, so that it
 * is no crowd of clients that keeps a worker from listening.
 */
export const isOneOfTheLast = (fd: number, { reservedFds }: Pick<AcceptLimits, 'reservedFds'>): boolean => fd >= lastFd(reservedFds / 2);

/** How many fds this process may have. */
export function mostFds(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY; // No /proc.
  }
}
