/**
 * One address under round robin: the primary listens and accepts, and hands each connection to one
 * of the workers that listen there.
 *
 *            accept                     handOff                        accepted
 *   client ─────────► queued (#queue) ──────────► in flight (peer.ts) ──────────► the worker's
 *                        ▲    ▲                     │          │
 *                        │    └──── rejected ───────┘          │
 *                        └─ lost, unsent: head of the queue ───┘    (untold: closed, see peer.ts)
 *
 * Owns     the acceptor with the listening handle, and every accepted connection until a worker has
 *          acknowledged it: the primary's copy of the fd is closed then, or when the address is; the
 *          timer of a rest, when every worker has refused
 * Used by  master/index.ts, one per key; peer.ts returns what was in flight
 * Uses     scheduling.ts (who is next), acceptor.ts (the listening socket)
 * Never    reads from an accepted connection; never hands one to two workers at a time
 * States   binding ── 'listening' ──► listening ── last remove(), or close() of what was kept ──► closed
 *             ├────── 'error', or `listen` throws ──────► failed
 *             └── last remove() ────► abandoned ── 'listening', 'error' ──► closed     (D5)
 * Keeps    1. a connection is in exactly one place: queued, in flight to one worker, or closed
 *          2. after each event: while a connection is queued, no worker has room (scheduling.ts), or
 *             nobody takes anything (`#refused`) and a rest is taken
 *          3. a worker that listens here is in `#rotation`, or waits in `binding`
 * Costs    a connection, here: accept4, sendmsg with its fd and 75 bytes, close; its share of one
 *          recvmsg for the acknowledgements that lie in the pipe. In the worker: recvmsg, four calls with
 *          which libuv asks what the fd is, and a write of 50 bytes. JSON: none to send (both messages are
 *          encoded once, a number is put in), one parse on each side. Objects: the native handle, the write
 *          request, links of queues, the entry in flight and its callback. No timer. Stock: sendmsg of an
 *          envelope, two recvmsg (ACK, reply) here; recvmsg and two writes in the worker; four messages
 *          encoded and parsed, and a wake-up of each side for each, since one is in flight at a time.
 * Node     lib/internal/cluster/round_robin_handle.js. Differences: D2 (several in flight), D3
 *          (reclaimed when a worker dies), D5, D13 (rejected by the last worker: closed, no hang)
 */
import net from 'node:net';
import { Set, timers } from '../builtins';
import { Fifo } from '../fifo';
import { namesFd, type QueryServer, type SocketName } from '../messages';
import { DEFAULT_LIMITS, type KeepListening } from '../limits';
import { UV_EINVAL, UV_EMFILE, type NativeHandle } from '../native/bindings';
import { makePausable, socketName, takeListeningHandle } from '../native/listening';
import { traceHandle, traceState } from '../trace';
import { Acceptor, isOneOfTheLast, type AcceptLimits } from './acceptor';
import { listenOptions } from './listen_options';
import type { Outcome, Peer, Source } from './peer';
import { Rotation, WINDOW, type Scheduling, type Seat } from './scheduling';

/** What a worker is told about the handle that it asked for. */
export type HandleReply = (errno: number | null, fields: { sockname?: SocketName; counts?: true }, handle: NativeHandle | null) => void;

/** What `RoundRobinHandle` and `SharedHandle` have in common. */
export interface ServerHandle {
  /** First truthy `data` of a query; every reply for this handle carries it. */
  data: unknown;
  has(peer: Peer): boolean;
  /** A worker listens here; `reply` is called once, now or when the bind has ended. */
  add(peer: Peer, reply: HandleReply): void;
  /** The worker has said how many connections it has open here, if this handle counts them. */
  report?(peer: Peer, open: number): void;
  /**
   * A worker listens here no more. True if it was the last one: the handle is closed, unless it is to be
   * kept: then it is as before, but holds no process, and the keeper closes it when no worker has come.
   */
  remove(peer: Peer, keep?: KeepListening | null): boolean;
  /** Nobody has come in time: closes what was kept. */
  close(): void;
  /** Connections that wait here for a worker. */
  readonly queued: number;
  /** Is there a socket, which can be kept? */
  readonly listening: boolean;
}

/** So many refusals in a row, without one connection taken, and a rest is taken. */
const REFUSALS = 64;
/** Milliseconds after which those who refused are asked again. */
const REST_MS = 20;

/** The settings of the primary that count here. */
export interface AddressOptions {
  readonly scheduling?: Scheduling | undefined;
  readonly limits?: AcceptLimits | undefined;
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
  readonly #rotation: Rotation<Peer>;
  readonly #limits: AcceptLimits;
  /** Is it an fd that was open before anybody asked? */
  readonly #inherited: boolean;
  #state: ListenState = { is: 'binding', waiting: [] };
  /** Is `#distribute` at work? */
  #distributing = false;
  /** How often in a row nobody took a connection, and who did not. */
  #refusals = 0;
  readonly #refusers = new Set<Seat<Peer>>();
  /** Runs while nobody is asked, since all have refused. */
  #rest: NodeJS.Timeout | undefined;

  /** Begins to bind and listen as the query says; the first query of a key decides. */
  constructor(key: string, query: QueryServer, { scheduling, limits = DEFAULT_LIMITS }: AddressOptions = {}) {
    this.#key = key;
    this.#limits = limits;
    this.#inherited = namesFd(query);
    this.#rotation = new Rotation(scheduling);
    const server = net.createServer();
    makePausable(server);
    server.once('listening', () => this.#bound(server));
    server.once('error', (error: NodeJS.ErrnoException) => this.#bindFailed(error.errno ?? UV_EINVAL));
    try {
      server.listen(listenOptions(query));
    } catch {
      // An address that `net` refuses to try. A worker's own `net` had let it pass, or nobody asked it.
      process.nextTick(() => this.#bindFailed(UV_EINVAL));
    }
  }

  // ── workers ────────────────────────────────────────────────────────────────────────────────────

  has(peer: Peer): boolean {
    return this.#rotation.has(peer) || (this.#state.is === 'binding' && this.#state.waiting.some((one) => one.peer === peer));
  }

  add(peer: Peer, reply: HandleReply): void {
    switch (this.#state.is) {
      case 'binding':
        this.#state.waiting.push({ peer, reply });
        return;
      case 'listening':
        return this.#seat({ peer, reply }, this.#state.sockname);
      case 'failed':
        return reply(this.#state.errno, {}, null);
      case 'abandoned':
      case 'closed':
        // Its key is free by now: whoever asks gets a new handle.
        throw new Error(`a worker was added to the ${this.#state.is} handle ${this.#key}`);
    }
  }

  #seat({ peer, reply }: Waiting, sockname: SocketName | null): void {
    const ours = peer.dialect === 'pipelined';
    const counts = ours && this.#rotation.counts;
    if (counts) peer.count(this.#key);
    reply(null, { ...(sockname === null ? {} : { sockname }), ...(counts ? { counts } : {}) }, null);
    if (this.#rotation.size === 0 && this.#state.is === 'listening') {
      // It may have been kept for this worker.
      this.#state.acceptor.limit(this.#limits.queuedConnections);
      this.#state.acceptor.hold(true);
    }
    this.#rotation.add(peer, peer.worker.id, ours ? WINDOW : 1, peer.weight);
    this.#endRest();
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
    const seated = this.#rotation.remove(peer);
    if (seated) peer.forget(this.#key);
    if (seated && this.#rotation.size === 0) {
      if (keep === null) this.close();
      else this.#keep(keep.limit);
      return true;
    }
    // Also when it had left before: what was in flight to it then may have come back just now.
    this.#distribute();
    return false;
  }

  // ── binding ────────────────────────────────────────────────────────────────────────────────────

  #bound(server: net.Server): void {
    const handle = takeListeningHandle(server);
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
    const sockname = socketName(handle);
    this.#transition({ is: 'listening', acceptor, sockname: typeof sockname === 'number' ? null : sockname });
    for (const one of waiting) this.#seat(one, typeof sockname === 'number' ? null : sockname);
  }

  #bindFailed(errno: number): void {
    if (this.#state.is === 'failed') return; // `listen` has thrown, and emits as well.
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
    traceHandle('queued', this.#key, connection);
    this.#queue.push(connection);
    this.#distribute();
  }

  /** Hands queued connections to workers, as long as there are both. */
  #distribute(): void {
    // A scheduling function may come here again (it disconnects a worker, say): the loop that asked it goes on.
    if (this.#distributing) return;
    this.#distributing = true;
    try {
      this.#handOffQueued();
    } finally {
      this.#distributing = false;
    }
    if (this.#state.is === 'listening') this.#state.acceptor.queued(this.#queue.length);
  }

  #handOffQueued(): void {
    while (this.#queue.length > 0 && this.#rest === undefined) {
      const connection = this.#queue.first as NativeHandle;
      const seat = this.#rotation.next(connection);
      if (seat === null) break;
      if (this.#queue.first !== connection) {
        // The scheduling function has closed this address, and all that waited here.
        this.#rotation.settled(seat, false);
        continue;
      }
      this.#queue.shift();
      if (seat.worker.handOff(this.#key, connection, seat, this)) {
        traceHandle('handed off', this.#key, connection);
      } else {
        // Its channel has ended and its removal is on the way: let the others have it.
        this.#queue.unshift(connection);
        seat.retired = true;
      }
    }
  }

  /** The worker has said how many connections it has open here. */
  report(peer: Peer, open: number): void {
    this.#rotation.report(peer, open);
  }

  /** A hand-off has ended; called by the peer's table, which has forgotten it. */
  settled(seat: Seat<Peer>, connection: NativeHandle, outcome: Outcome): void {
    this.#rotation.settled(seat, outcome === 'accepted' || outcome === 'rejected');
    if (outcome === 'accepted' || outcome === 'untold' || this.#state.is !== 'listening') {
      connection.close(); // The worker has its own copy, or may have, or nobody is left who could take it.
      if (this.#refusals > 0) this.#forgetRefusals();
      if (this.#state.is === 'listening') this.#state.acceptor.freed();
    } else if (outcome === 'rejected') {
      traceHandle('rejected', this.#key, connection);
      this.#queue.push(connection);
      this.#refused(seat);
    } else if (outcome === 'unsent') {
      traceHandle('unsent', this.#key, connection);
      this.#queue.unshift(connection);
      this.#refused(seat);
    } else {
      traceHandle('reclaimed', this.#key, connection);
      this.#queue.unshift(connection);
      return; // The worker is about to be removed, and remove() distributes.
    }
    this.#distribute();
  }

  /** It was not taken. When nobody takes anything, they are asked again a little later, not over and over. */
  #refused(seat: Seat<Peer>): void {
    this.#refusals++;
    this.#refusers.add(seat);
    if (this.#rest !== undefined || (this.#refusals < REFUSALS && !this.#rotation.every((one) => this.#refusers.has(one)))) return;
    this.#rest = timers.setTimeout(() => this.#endRest(), REST_MS);
  }

  #forgetRefusals(): void {
    this.#refusals = 0;
    this.#refusers.clear();
  }

  #endRest(): void {
    timers.clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#forgetRefusals();
    this.#distribute();
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────

  #keep(limit: number): void {
    if (this.#state.is !== 'listening') return;
    const { acceptor } = this.#state;
    this.#endRest();
    acceptor.limit(limit);
    acceptor.hold(false);
  }

  close(): void {
    if (this.#state.is !== 'listening') return;
    const { acceptor } = this.#state;
    this.#transition({ is: 'closed' });
    acceptor.close();
    timers.clearTimeout(this.#rest);
    for (const connection of this.#queue.drain()) {
      traceHandle('closed', this.#key, connection);
      connection.close();
    }
  }

  #transition(to: ListenState): void {
    traceState(this.#key, this.#state.is, to.is);
    this.#state = to;
  }
}
