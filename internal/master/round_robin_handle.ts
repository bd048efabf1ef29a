/**
 * One listening address under round robin: the primary listens and accepts, and hands each connection to
 * one of the workers that listen there.
 *
 *   client ── acceptor.ts accepts ──► hand_off_queue.ts: waits ── handOff ──► in flight (peer.ts) ──► the worker's
 *
 *   The hand-off itself is in hand_off_queue.ts; this file has the address: its bind, its workers, its end.
 *   With `accepts: 'alone'` the primary accepts only while no worker listens (`keepListening`): the workers get copies of
 *   the socket. All else is the same, for the connections that the primary has.
 *
 * Owns     the acceptor with the listening handle, and the HandOffQueue with the connections
 * Used by  listen_table.ts, which makes one for each address; shared_accept_handle.ts
 * Uses     hand_off_queue.ts, begin_listening.ts and acceptor.ts (the listening socket)
 * States   binding ── 'listening' ──► listening ── last remove(), or close() of what was kept ──► closed
 *             ├────── 'error', or `listen` throws ──────► failed
 *             └── last remove() ────► abandoned ── 'listening', 'error' ──► closed     (D5)
 * Keeps    a worker that listens here is a candidate of the queue, or waits in the state `binding`
 * Node     lib/internal/cluster/round_robin_handle.js. Difference: D5. Those of the hand-off are in hand_off_queue.ts
 */
import { timers } from '../builtins';
import { namesFd, type QueryServer, type SocketName } from '../messages';
import { DEFAULT_LIMITS, type KeepListening } from '../limits';
import { UV_EMFILE, type ListeningHandle, type NativeHandle } from '../native/bindings';
import { isConnectionTo, setAccepting, socketName } from '../native/listening';
import { traceState } from '../trace';
import { Acceptor, isOneOfTheLast, type AcceptLimits } from './acceptor';
import { beginListening, listenOnInherited } from './begin_listening';
import { ConnectionCounters } from './connection_counters';
import { HandOffQueue } from './hand_off_queue';
import type { Peer } from './peer';
import type { Scheduling } from './scheduling';
import type { HandleReply, Heir, LastWorker, ServerHandle } from './server_handle';

/** The settings of the primary that matter here. */
export interface AddressOptions {
  readonly scheduling?: Scheduling | undefined;
  readonly limits?: AcceptLimits | undefined;
  /** Those of the primary; none are read if there are none. */
  readonly counters?: ConnectionCounters | undefined;
  /** A handle (transferred) that is bound there already, used in place of a bind: one of the primary that this one replaces, or of systemd. Nothing is accepted before `serve`, if `waits`. */
  readonly inherited?: { readonly handle: NativeHandle; readonly waits: boolean } | undefined;
  /** When does the primary accept? 'always' by default; 'alone': while no worker listens. */
  readonly accepts?: 'always' | 'alone' | undefined;
}

interface Waiting {
  readonly peer: Peer;
  readonly reply: HandleReply;
}

type ListenState =
  | { readonly is: 'binding'; waiting: Waiting[] }
  | { readonly is: 'abandoned' }
  | { readonly is: 'listening'; readonly acceptor: Acceptor; readonly sockname: SocketName | null }
  | { readonly is: 'failed'; readonly errno: number }
  | { readonly is: 'closed' };

/** A listening address whose connections the primary hands to workers in turn. */
export class RoundRobinHandle implements ServerHandle {
  data: unknown = null;
  readonly #key: string;
  readonly #queue: HandOffQueue;
  readonly #limits: AcceptLimits;
  /** Was the address open before: an fd, or a handle that is used in place of a bind? */
  readonly #inherited: boolean;
  /** Does another primary accept here, so that this one must not? */
  #waits: boolean;
  readonly #accepts: 'always' | 'alone';
  #state: ListenState = { is: 'binding', waiting: [] };
  #lastWorker: LastWorker = 'closes';

  /** Begins to bind and listen as the query says; the first query of a key decides. */
  constructor(key: string, query: QueryServer, { scheduling, limits = DEFAULT_LIMITS, counters = new ConnectionCounters(), inherited, accepts = 'always' }: AddressOptions = {}) {
    this.#key = key;
    this.#limits = limits;
    this.#inherited = namesFd(query) || inherited !== undefined;
    this.#waits = inherited?.waits === true;
    this.#accepts = accepts;
    this.#queue = new HandOffQueue(key, scheduling, counters, () => (this.#state.is === 'listening' ? this.#state.acceptor : null));
    const bound = (handle: ListeningHandle): void => this.#bound(handle);
    const failed = (errno: number): void => this.#bindFailed(errno);
    if (inherited === undefined) beginListening(query, bound, failed);
    else listenOnInherited(inherited.handle, query, bound, failed);
  }

  // ── workers ────────────────────────────────────────────────────────────────────────────────────

  has(peer: Peer): boolean {
    return this.#queue.has(peer) || (this.#state.is === 'binding' && this.#state.waiting.some((one) => one.peer === peer));
  }

  add(peer: Peer, reply: HandleReply): void {
    switch (this.#state.is) {
      case 'binding':
        this.#state.waiting.push({ peer, reply });
        return;
      case 'listening':
        return this.#addCandidate({ peer, reply }, this.#state.sockname);
      case 'failed':
        return reply(this.#state.errno, {}, null);
      case 'abandoned':
      case 'closed':
        // The key of this handle is free by now, so a worker that asks gets a new handle.
        throw new Error(`a worker was added to the ${this.#state.is} handle ${this.#key}`);
    }
  }

  #addCandidate({ peer, reply }: Waiting, sockname: SocketName | null): void {
    const counts = this.#queue.prepare(peer);
    const socket = this.#accepts === 'alone' ? this.native : null;
    reply(null, { ...(sockname === null ? {} : { sockname }), ...(counts === undefined ? {} : { counts }) }, socket);
    if (this.#queue.workers === 0 && this.#state.is === 'listening') {
      // The address may have been kept open without a worker: end that.
      this.#state.acceptor.limit(this.#limits.queuedConnections);
      this.#state.acceptor.hold(true);
      if (this.#accepts === 'alone') this.#state.acceptor.wait();
    }
    if (this.#lastWorker === 'resumed') this.#lastWorker = 'closes';
    this.#queue.add(peer, counts);
  }

  remove(peer: Peer, keep: KeepListening | null = null): boolean {
    const state = this.#state;
    if (state.is === 'binding') {
      const left = state.waiting.filter((one) => one.peer !== peer);
      if (left.length === state.waiting.length) return false;
      state.waiting = left;
      if (left.length > 0) return false;
      this.#transition({ is: 'abandoned' });
      return true;
    }
    const wasCandidate = this.#queue.remove(peer);
    if (wasCandidate && this.#queue.workers === 0 && this.#lastWorker !== 'closes') {
      if (state.is === 'listening') state.acceptor.hold(false); // A primary that is told to stop now has nothing else to do.
    } else if (wasCandidate && this.#queue.workers === 0) {
      if (keep === null) this.close();
      else this.#keep(keep.limit);
      return true;
    }
    // Distribute even if the worker was removed earlier: its in-flight connections may have just been requeued.
    this.#queue.distribute();
    return false;
  }

  giveRest(peer: Peer, given: () => void): void {
    if (!this.#closesWith(peer)) return given();
    // In a whole turn of the event loop all is accepted that waits in the kernel: a socket that is closed resets those clients.
    timers.setImmediate(() => timers.setImmediate(() => {
      if (this.#closesWith(peer)) this.close({ givesRest: true });
      given();
    }));
  }

  /** Is this the last worker, with which the address closes? */
  #closesWith(peer: Peer): boolean {
    return this.#lastWorker === 'closes' && this.#queue.workers === 1 && this.#queue.has(peer);
  }

  // ── binding ────────────────────────────────────────────────────────────────────────────────────

  #bound(handle: ListeningHandle): void {
    if (this.#state.is !== 'binding') {
      handle.close();
      this.#transition({ is: 'closed' });
      return;
    }
    if (!this.#inherited && isOneOfTheLast(handle.fd ?? 0, this.#limits)) {
      handle.close();
      return this.#bindFailed(UV_EMFILE);
    }
    const { waiting } = this.#state;
    const acceptor = new Acceptor(this.#key, handle, this.#limits, (connection) => this.#queue.accepted(connection));
    // With 'alone' the workers that are about to be added accept.
    if (this.#waits || this.#accepts === 'alone') acceptor.wait();
    else if (this.#inherited) setAccepting(handle, true);
    const sockname = socketName(handle);
    this.#transition({ is: 'listening', acceptor, sockname: typeof sockname === 'number' ? null : sockname });
    for (const one of waiting) this.#addCandidate(one, typeof sockname === 'number' ? null : sockname);
  }

  #bindFailed(errno: number): void {
    if (this.#state.is === 'failed') return; // `listen` has thrown, and the server emits 'error' as well.
    if (this.#state.is !== 'binding') {
      this.#transition({ is: 'closed' });
      return;
    }
    const { waiting } = this.#state;
    this.#transition({ is: 'failed', errno });
    for (const { reply } of waiting) reply(errno, {}, null);
  }

  // ── connections ────────────────────────────────────────────────────────────────────────────────

  get listening(): boolean {
    return this.#state.is === 'listening';
  }

  get queued(): number {
    return this.#queue.length;
  }

  takeBack(giver: Peer, connection: NativeHandle): boolean {
    const state = this.#state;
    if (state.is !== 'listening' || !this.#queue.mayGive(giver) || !isConnectionTo(connection, state.sockname)) return false;
    return this.#queue.takeBack(giver, connection, state.acceptor);
  }

  report(peer: Peer, open: number): void {
    this.#queue.report(peer, open);
  }

  // ── another primary (upgrade/) ─────────────────────────────────────────────────────────────────

  get native(): NativeHandle | null {
    return this.#state.is === 'listening' ? this.#state.acceptor.handle : null;
  }

  handOver(heir: Heir): void {
    if (this.#state.is !== 'listening') return;
    this.#lastWorker = 'handed over';
    this.#queue.handOver(heir);
    this.#queue.resume();
  }

  giveMore(): void {
    this.#queue.distribute();
  }

  stopAccepting(): void {
    if (this.#state.is === 'listening') this.#state.acceptor.wait();
  }

  serve(): void {
    if (this.#lastWorker === 'handed over') this.#lastWorker = 'resumed';
    this.#queue.handOver(null);
    this.#waits = false;
    if (this.#state.is === 'listening' && (this.#accepts === 'always' || this.#queue.workers === 0)) this.#state.acceptor.go();
    this.#queue.resume();
  }

  adopt(connection: NativeHandle, moved: boolean, ended?: (taken: boolean) => void): boolean {
    if (this.#state.is !== 'listening') return false;
    this.#queue.adopt(connection, moved, ended);
    return true;
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────

  #keep(limit: number): void {
    if (this.#state.is !== 'listening') return;
    const { acceptor } = this.#state;
    this.#queue.resume();
    acceptor.limit(limit);
    acceptor.hold(false);
    if (!this.#waits) acceptor.go();
  }

  /** `givesRest`: the last worker gets the connections that wait. By default they are closed. */
  close({ givesRest = false } = {}): void {
    if (this.#state.is !== 'listening') return;
    const { acceptor } = this.#state;
    this.#transition({ is: 'closed' });
    acceptor.close(); // First: it resets who has come since the last connection was accepted.
    if (givesRest) this.#queue.giveRest();
    this.#queue.close();
  }

  #transition(to: ListenState): void {
    traceState(this.#key, this.#state.is, to.is);
    this.#state = to;
  }
}
