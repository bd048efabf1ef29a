/**
 * One listening address under round robin: the primary listens and accepts, and hands each connection to
 * one of the workers that listen there.
 *
 *            accept                     handOff                        accepted
 *   client ─────────► queued (#queue) ──────────► in flight (peer.ts) ──────────► the worker's
 *                        ▲    ▲                     │          │
 *                        │    └──── rejected ───────┘          │
 *                        └─ lost, unsent: head of the queue ───┘    (untold: closed, see peer.ts)
 *
 *   A worker may give an idle connection back (`takeBack`): it is queued as if it had just been accepted.
 *   When the primary is replaced (upgrade/), everything that would be queued goes to its heir, from `handOver` on.
 *   With `accepts: 'alone'` the primary accepts only while no worker listens (`keepListening`): the workers get copies of
 *   the socket. All else is the same, for the connections that the primary has.
 *
 * Owns     the acceptor with the listening handle; the queued connections (peer.ts owns those in flight, and
 *          gives each back by `ended`: it is closed here, or queued again)
 * Used by  listen_table.ts, which makes one for each address; shared_accept_handle.ts
 * Uses     scheduler.ts and scheduling.ts (who gets the next connection), begin_listening.ts and acceptor.ts (the
 *          listening socket), dispatch_pause.ts (no worker takes a connection), returned_connections.ts and
 *          rebalancing.ts (connections that move), connection_counters.ts
 * Never    reads from an accepted connection; never hands one to two workers at a time
 * States   binding ── 'listening' ──► listening ── last remove(), or close() of what was kept ──► closed
 *             ├────── 'error', or `listen` throws ──────► failed
 *             └── last remove() ────► abandoned ── 'listening', 'error' ──► closed     (D5)
 * Keeps    1. a connection is in exactly one place: queued, in flight to one worker, or closed
 *          2. after each event, if a connection is queued, then no worker has room (scheduling.ts), or
 *             dispatch is paused because nobody takes a connection
 *          3. a worker that listens here is a candidate of `#scheduler`, or waits in the state `binding`
 * Costs    for each connection, in the primary: accept4, a sendmsg with its fd and 75 bytes, close, and a
 *          share of one recvmsg for the acknowledgements that lie in the pipe. In the worker: recvmsg, four
 *          calls with which libuv asks what the fd is, and a write of 50 bytes. No JSON is written (both
 *          messages are encoded once, and a number is put in); one is parsed on each side. No timer.
 *          Stock Node: a sendmsg of an envelope and two recvmsg in the primary, a recvmsg and two writes in
 *          the worker, four messages encoded and parsed, and a wake-up of each side for each connection,
 *          since one is in flight at a time.
 * Node     lib/internal/cluster/round_robin_handle.js. Differences: D2 (several in flight), D3
 *          (requeued when a worker dies), D5, D13 (rejected by the last worker: closed, no hang), D58
 *          (idle connections come back)
 */
import { Fifo } from '../fifo';
import { namesFd, type QueryServer, type SocketName } from '../messages';
import { DEFAULT_LIMITS, type KeepListening } from '../limits';
import { UV_EMFILE, type ListeningHandle, type NativeHandle } from '../native/bindings';
import { isConnectionTo, setAccepting, socketName } from '../native/listening';
import { traceHandle, traceState } from '../trace';
import { Acceptor, isOneOfTheLast, type AcceptLimits } from './acceptor';
import { beginListening, listenOnInherited } from './begin_listening';
import { ConnectionCounters } from './connection_counters';
import { DispatchPause } from './dispatch_pause';
import type { Outcome, Peer, Source } from './peer';
import { Rebalancing } from './rebalancing';
import { ReturnedConnections } from './returned_connections';
import { Scheduler } from './scheduler';
import { WINDOW, type Candidate, type Scheduling } from './scheduling';
import type { HandleReply, Heir, ServerHandle } from './server_handle';

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
export class RoundRobinHandle implements ServerHandle, Source {
  data: unknown = null;
  readonly #key: string;
  readonly #queue = new Fifo<NativeHandle>();
  readonly #scheduler: Scheduler<Peer>;
  readonly #limits: AcceptLimits;
  readonly #counters: ConnectionCounters;
  /** Was the address open before: an fd, or a handle that is used in place of a bind? */
  readonly #inherited: boolean;
  /** Does another primary accept here, so that this one must not? */
  #waits: boolean;
  /** Gets what would be queued; null: there is none. */
  #heir: Heir | null = null;
  readonly #accepts: 'always' | 'alone';
  #state: ListenState = { is: 'binding', waiting: [] };
  /** True while `#distribute` runs. A scheduling function may disconnect a worker, and that calls `#distribute` once more. */
  #distributing = false;
  readonly #rebalancing: Rebalancing<Peer>;
  readonly #pause = new DispatchPause(() => this.#resume());
  readonly #returned = new ReturnedConnections(() => this.#distribute());

  /** Begins to bind and listen as the query says; the first query of a key decides. */
  constructor(key: string, query: QueryServer, { scheduling, limits = DEFAULT_LIMITS, counters = new ConnectionCounters(), inherited, accepts = 'always' }: AddressOptions = {}) {
    this.#key = key;
    this.#limits = limits;
    this.#counters = counters;
    this.#inherited = namesFd(query) || inherited !== undefined;
    this.#waits = inherited?.waits === true;
    this.#accepts = accepts;
    this.#scheduler = new Scheduler(scheduling);
    this.#rebalancing = new Rebalancing(this.#scheduler.candidates, () => this.#queue.length);
    const bound = (handle: ListeningHandle): void => this.#bound(handle);
    const failed = (errno: number): void => this.#bindFailed(errno);
    if (inherited === undefined) beginListening(query, bound, failed);
    else listenOnInherited(inherited.handle, query, bound, failed);
  }

  // ── workers ────────────────────────────────────────────────────────────────────────────────────

  has(peer: Peer): boolean {
    return this.#scheduler.has(peer) || (this.#state.is === 'binding' && this.#state.waiting.some((one) => one.peer === peer));
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
    const ours = peer.dialect === 'pipelined';
    const { rebalance } = peer;
    const counts = !ours ? undefined : this.#scheduler.counts ? true : rebalance !== null ? 'seldom' : undefined;
    if (counts !== undefined) peer.count(this.#key);
    this.#returned.listens(peer);
    const socket = this.#accepts === 'alone' ? this.native : null;
    reply(null, { ...(sockname === null ? {} : { sockname }), ...(counts === undefined ? {} : { counts }) }, socket);
    if (this.#scheduler.size === 0 && this.#state.is === 'listening') {
      // The address may have been kept open without a worker: end that.
      this.#state.acceptor.limit(this.#limits.queuedConnections);
      this.#state.acceptor.hold(true);
      if (this.#accepts === 'alone') this.#state.acceptor.wait();
    }
    this.#scheduler.add(peer, peer.worker.id, ours ? WINDOW : 1, peer.weight, counts === 'seldom');
    if (ours && rebalance !== null) this.#rebalancing.add(peer, rebalance, (max, keep) => peer.returnIdle(max, { key: this.#key, keep }));
    this.#resume();
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
    const wasCandidate = this.#scheduler.remove(peer);
    if (wasCandidate) peer.forget(this.#key);
    this.#rebalancing.remove(peer);
    if (this.#heir !== null) {
      this.#distribute();
      return false;
    }
    if (wasCandidate && this.#scheduler.size === 0) {
      if (keep === null) this.close();
      else this.#keep(keep.limit);
      return true;
    }
    // Distribute even if the worker was removed earlier: its in-flight connections may have just been requeued.
    this.#distribute();
    return false;
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
    const acceptor = new Acceptor(this.#key, handle, this.#limits, (connection) => this.#accepted(connection));
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

  #accepted(connection: NativeHandle): void {
    this.#counters.accepted(connection);
    this.#queued(connection);
  }

  takeBack(giver: Peer, connection: NativeHandle): boolean {
    const state = this.#state;
    // It stays with its worker if nobody else could take it. Without any worker the address is kept, and it waits.
    if (state.is !== 'listening' || !this.#returned.mayGive(giver) || !isConnectionTo(connection, state.sockname)) return false;
    if (this.#heir === null && (this.#pause.isOn || this.#scheduler.mustKeep(giver) || !state.acceptor.hasRoomFor(connection))) return false;
    this.#counters.returned();
    this.#scheduler.returned(giver);
    this.#rebalancing.returned(giver);
    this.#returned.add(connection, giver);
    traceHandle('returned', this.#key, connection);
    this.#queued(connection);
    return true;
  }

  #queued(connection: NativeHandle): void {
    traceHandle('queued', this.#key, connection);
    this.#queue.push(connection);
    this.#distribute();
  }

  /** Hands off queued connections, as long as there are some and a worker has room. */
  #distribute(): void {
    // A scheduling function may cause this call, if it disconnects a worker, say. The loop that called the function goes on.
    if (this.#distributing) return;
    this.#distributing = true;
    try {
      if (this.#heir === null) this.#handOffQueued();
      else this.#giveQueued(this.#heir);
    } finally {
      this.#distributing = false;
    }
    if (this.#state.is === 'listening') this.#state.acceptor.queued(this.#queue.length);
  }

  #handOffQueued(): void {
    while (this.#queue.length > 0 && !this.#pause.isOn) {
      const connection = this.#queue.first as NativeHandle;
      const giver = this.#returned.giverOf(connection);
      const isMoved = this.#returned.has(connection);
      const candidate = this.#scheduler.next(connection, giver);
      if (candidate === null) {
        if (giver !== null) this.#returned.waits();
        break;
      }
      if (this.#queue.first !== connection) {
        // The scheduling function has closed this address, and with it every queued connection.
        this.#scheduler.ended(candidate, 'unsent');
        continue;
      }
      this.#queue.shift();
      if (candidate.worker.handOff(this.#key, connection, candidate, this, isMoved)) {
        this.#counters.handedOff();
        traceHandle('handed off', this.#key, connection);
      } else {
        // The worker's channel has ended, and the worker is about to be removed: another one gets the connection.
        this.#queue.unshift(connection);
        candidate.retired = true;
      }
    }
  }

  /** The worker has reported how many connections it has open here. */
  report(peer: Peer, open: number): void {
    this.#scheduler.report(peer, open);
  }

  /** A hand-off has ended. Called by peer.ts, in whose table it is no more; `connection` is transferred. */
  ended(candidate: Candidate<Peer>, connection: NativeHandle, outcome: Outcome): void {
    this.#scheduler.ended(candidate, outcome);
    this.#counters.ended(connection, outcome);
    if (outcome === 'accepted' || outcome === 'untold' || this.#state.is !== 'listening') {
      if (outcome === 'accepted') this.#moved(connection, candidate.worker);
      else this.#givenUp(connection);
      this.#returned.forget(connection);
      connection.close(); // The worker has its own copy (or may have one), or nobody is left who could take it.
      this.#pause.taken();
      if (this.#state.is === 'listening') this.#state.acceptor.freed();
    } else if (outcome === 'rejected') {
      traceHandle('rejected', this.#key, connection);
      this.#queue.push(connection);
      this.#pause.rejected(candidate, (test) => this.#scheduler.every(test));
    } else if (outcome === 'unsent') {
      traceHandle('unsent', this.#key, connection);
      this.#queue.unshift(connection);
      this.#pause.rejected(candidate, (test) => this.#scheduler.every(test));
    } else {
      traceHandle('reclaimed', this.#key, connection);
      this.#queue.unshift(connection);
      return; // The worker is about to be removed, and remove() distributes the queue.
    }
    this.#distribute();
  }

  /** Nobody is left who could take it, or a worker may have it. */
  #givenUp(connection: NativeHandle): void {
    this.#counters.closed(connection);
    traceHandle('given up', this.#key, connection);
  }

  #moved(connection: NativeHandle, taker: Peer): void {
    if (!this.#returned.has(connection) || this.#returned.giverOf(connection) === taker) return;
    this.#counters.moved();
    taker.moved++;
    traceHandle('moved', this.#key, connection);
  }

  #resume(): void {
    this.#pause.end();
    this.#distribute();
  }

  // ── another primary (upgrade/) ─────────────────────────────────────────────────────────────────

  get native(): NativeHandle | null {
    return this.#state.is === 'listening' ? this.#state.acceptor.handle : null;
  }

  handOver(heir: Heir): void {
    if (this.#state.is !== 'listening') return;
    this.#heir = heir;
    this.#state.acceptor.wait();
    this.#resume();
  }

  serve(): void {
    this.#heir = null;
    this.#waits = false;
    if (this.#state.is === 'listening' && (this.#accepts === 'always' || this.#scheduler.size === 0)) this.#state.acceptor.go();
    this.#resume();
  }

  adopt(connection: NativeHandle, moved: boolean): boolean {
    if (this.#state.is !== 'listening') return false;
    if (moved) this.#returned.add(connection, null);
    this.#queued(connection);
    return true;
  }

  #giveQueued(heir: Heir): void {
    for (const waiting of this.#queue.drain()) {
      const moved = this.#returned.has(waiting);
      this.#returned.forget(waiting);
      traceHandle('closed', this.#key, waiting); // Here; it goes on in the other primary.
      heir(waiting, moved);
    }
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────

  #keep(limit: number): void {
    if (this.#state.is !== 'listening') return;
    const { acceptor } = this.#state;
    this.#resume();
    acceptor.limit(limit);
    acceptor.hold(false);
    if (!this.#waits) acceptor.go();
  }

  close(): void {
    if (this.#state.is !== 'listening') return;
    const { acceptor } = this.#state;
    this.#transition({ is: 'closed' });
    acceptor.close();
    this.#pause.end();
    this.#returned.close();
    for (const connection of this.#queue.drain()) {
      this.#counters.closed(connection);
      this.#returned.forget(connection);
      traceHandle('closed', this.#key, connection);
      connection.close();
    }
  }

  #transition(to: ListenState): void {
    traceState(this.#key, this.#state.is, to.is);
    this.#state = to;
  }
}
