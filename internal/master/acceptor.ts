/**
 * The listening socket of one address: accepts connections, unless there are too many. A connection that
 * is not accepted yet waits in the kernel's backlog, and its client does not notice.
 *
 *             queue at its limit ──► full ── queue at half of it ──► accepting
 *   accepting ─┤
 *             fds run out, error ──► paused ── an fd is free, or PAUSE_MS later; queue empty ──► accepting
 *   any of these ── wait ──► waiting ── go ──► accepting     (another primary accepts here: upgrade/; or the workers do)
 *
 * Owns     the listening handle and the timer of a pause; both end with `close`
 * Used by  round_robin_handle.ts, whose queue (hand_off_queue.ts) owns each accepted connection; shared_handle.ts, for the limit of fds
 * Never    accepts in a loop without a free fd: without the pause, accept would fail in every turn of the
 *          event loop as long as a client waits
 * Costs    two comparisons for each connection, and one look at the number of its fd
 * Node     accepts whatever comes; libuv closes the clients it has no fd for at once (D33, D34)
 */
import { timers } from '../builtins';
import { lastFd } from '../fds';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import { setAccepting } from '../native/listening';
import { traceState } from '../trace';

/** Milliseconds for which nothing is accepted after the fds have run out: some other part may close one in that time. */
export const PAUSE_MS = 100;

type AcceptState = 'accepting' | 'full' | 'paused' | 'waiting' | 'closed';

/** Bounds of what is accepted. */
export interface AcceptLimits {
  /** The most connections that wait in the primary. */
  readonly queuedConnections: number;
  /** So many fds of the process are never used for connections. */
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
  #pauseTimer: NodeJS.Timeout | undefined;

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
    if (errno) return this.#pause(); // Nothing was accepted: no free fd, in most cases.
    // The kernel gives the lowest free number, so a high one means that all below are in use.
    if ((connection.fd ?? 0) >= this.#highestFd) this.#pause();
    this.#accepted(connection);
  };

  /** The queue of this address has `count` connections now. */
  queued(count: number): void {
    this.#queued = count;
    if (this.#state === 'accepting') {
      if (count >= this.#mostQueued) this.#transition('full');
    } else if (this.#state === 'full' && count <= this.#mostQueued / 2) {
      this.#transition('accepting');
    }
  }

  /** May one more connection wait here, and is its fd none of the last ones? */
  hasRoomFor({ fd = 0 }: NativeHandle): boolean {
    return this.#queued < this.#mostQueued && fd < this.#highestFd;
  }

  /** The primary has closed its copy of a connection, so an fd is free. */
  freed(): void {
    if (this.#state === 'paused') this.#endPause();
  }

  /** From now on at most this many connections may wait. */
  limit(mostQueued: number): void {
    this.#mostQueued = mostQueued;
    this.queued(this.#queued);
  }

  /** Does the listening handle keep the process alive? */
  hold(process: boolean): void {
    if (process) this.#handle.ref();
    else this.#handle.unref();
  }

  /** Accepts nothing until `go`, because another primary accepts here, or the workers do. */
  wait(): void {
    timers.clearTimeout(this.#pauseTimer);
    if (this.#state !== 'closed' && this.#state !== 'waiting') this.#transition('waiting');
  }

  /** Accepts again after `wait`. */
  go(): void {
    if (this.#state !== 'waiting') return;
    this.#transition('accepting');
    this.queued(this.#queued);
  }

  /** The listening handle (borrowed). */
  get handle(): ListeningHandle {
    return this.#handle;
  }

  close(): void {
    timers.clearTimeout(this.#pauseTimer);
    this.#transition('closed');
    this.#handle.close();
  }

  #pause(): void {
    if (this.#state !== 'accepting' && this.#state !== 'full') return;
    this.#transition('paused');
    this.#pauseTimer = timers.setTimeout(this.#endPause, PAUSE_MS);
  }

  readonly #endPause = (): void => {
    // Each queued connection holds an fd: with more of them the fds run out again.
    if (this.#queued > 0) {
      this.#pauseTimer?.refresh();
    } else {
      timers.clearTimeout(this.#pauseTimer);
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

/**
 * Is this listening socket one of the last fds? The limit is half of that for connections, so that a crowd
 * of clients alone cannot keep a worker from listening.
 */
export const isOneOfTheLast = (fd: number, { reservedFds }: Pick<AcceptLimits, 'reservedFds'>): boolean => fd >= lastFd(reservedFds / 2);
