/**
 * The connections of one listening address under round robin: they wait here, and each is handed to one of the workers
 * that listen there. **This is the hand-off of a connection**, as the primary decides it; peer.ts sends it.
 *
 *            accepted                   handOff                        accepted
 *   client ─────────► queued (#queue) ──────────► in flight (peer.ts) ──────────► the worker's
 *                        ▲    ▲                     │          │
 *                        │    └──── rejected ───────┘          │
 *                        └─ lost, unsent: head of the queue ───┘    (untold: closed, see peer.ts)
 *
 *   A worker may give an idle connection back (`takeBack`): it is queued as if it had just been accepted.
 *   When the primary is replaced (upgrade/), everything that would be queued goes to its heir, from `handOver` on.
 *
 * Owns     the queued connections, from `accepted`, `takeBack` or `adopt` on (peer.ts owns those in flight, and gives each
 *          back by `ended`: it is closed here, or queued again)
 * Used by  round_robin_handle.ts, which makes one for each address
 * Uses     scheduler.ts and scheduling.ts (who gets the next connection), dispatch_pause.ts (no worker takes a
 *          connection), returned_connections.ts and rebalancing.ts (connections that move), connection_counters.ts
 * Never    reads from an accepted connection; never hands one to two workers at a time
 * Keeps    1. a connection is in exactly one place: queued, in flight to one worker, or closed
 *          2. after each event, if a connection is queued, then no worker has room (scheduling.ts), or
 *             dispatch is paused because nobody takes a connection
 * Costs    for each connection, in the primary: accept4, a sendmsg with its fd and 75 bytes, close, and a
 *          share of one recvmsg for the acknowledgements that lie in the pipe. In the worker: recvmsg, four
 *          calls with which libuv asks what the fd is, and a write of 50 bytes. No JSON is written (both
 *          messages are encoded once, and a number is put in); one is parsed on each side. No timer.
 *          Stock Node: a sendmsg of an envelope and one or two recvmsg in the primary, a recvmsg and two
 *          writes in the worker, four messages encoded and parsed, and a wake-up of each side for each connection,
 *          since one is in flight at a time.
 * Node     part of lib/internal/cluster/round_robin_handle.js. Differences: D2 (several in flight), D3 (requeued when a
 *          worker dies), D13 (rejected by the last worker: closed, no hang), D58 (idle connections come back), D66 (nothing that waits is lost with the last worker)
 */
import { Fifo } from '../fifo';
import type { NativeHandle } from '../native/bindings';
import { traceHandle } from '../trace';
import type { Acceptor } from './acceptor';
import type { ConnectionCounters } from './connection_counters';
import { DispatchPause } from './dispatch_pause';
import type { Outcome, Peer, Source } from './peer';
import { Rebalancing } from './rebalancing';
import { ReturnedConnections } from './returned_connections';
import { Scheduler } from './scheduler';
import { WINDOW, type Candidate, type Scheduling } from './scheduling';
import type { Heir } from './server_handle';

/** How often a worker reports its open connections; undefined: never. */
type Counts = true | 'seldom' | undefined;

/** The connections of one address that no worker has yet, and its workers. */
export class HandOffQueue implements Source {
  readonly #key: string;
  readonly #counters: ConnectionCounters;
  readonly #acceptor: () => Acceptor | null;
  readonly #queue = new Fifo<NativeHandle>();
  readonly #scheduler: Scheduler<Peer>;
  /** Gets what would be queued; null: there is none. */
  #heir: Heir | null = null;
  /** True while `distribute` runs. A scheduling function may disconnect a worker, and that calls `distribute` once more. */
  #distributing = false;
  readonly #rebalancing: Rebalancing<Peer>;
  readonly #pause = new DispatchPause(() => this.resume());
  readonly #returned = new ReturnedConnections(() => this.distribute());
  /** Connections of another primary that no worker has yet: who waits to hear of their end. */
  readonly #adopted = new Map<NativeHandle, (taken: boolean) => void>();

  /** `acceptor` returns the acceptor of the address; null while the address is not open. */
  constructor(key: string, scheduling: Scheduling | undefined, counters: ConnectionCounters, acceptor: () => Acceptor | null) {
    this.#key = key;
    this.#counters = counters;
    this.#acceptor = acceptor;
    this.#scheduler = new Scheduler(scheduling);
    this.#rebalancing = new Rebalancing(this.#scheduler.candidates, () => this.#queue.length);
  }

  /** How many connections wait. */
  get length(): number {
    return this.#queue.length;
  }

  // ── workers ────────────────────────────────────────────────────────────────────────────────────

  /** How many workers listen here. */
  get workers(): number {
    return this.#scheduler.size;
  }

  has(peer: Peer): boolean {
    return this.#scheduler.has(peer);
  }

  /** A worker is about to be added. Returns how often it has to report its open connections. */
  prepare(peer: Peer): Counts {
    const counts = peer.dialect !== 'pipelined' ? undefined : this.#scheduler.counts ? true : peer.rebalance !== null ? 'seldom' : undefined;
    if (counts !== undefined) peer.count(this.#key);
    this.#returned.listens(peer);
    return counts;
  }

  /** From now on this worker gets connections. `counts` is what `prepare` returned. */
  add(peer: Peer, counts: Counts): void {
    const ours = peer.dialect === 'pipelined';
    const { rebalance } = peer;
    this.#scheduler.add(peer, peer.worker.id, ours ? WINDOW : 1, peer.weight, counts === 'seldom');
    if (ours && rebalance !== null) this.#rebalancing.add(peer, rebalance, (max, keep) => peer.returnIdle(max, { key: this.#key, keep }));
    this.resume();
  }

  /** This worker gets no more connections. Returns whether it was one of the workers; `distribute` has to follow unless the address closes. */
  remove(peer: Peer): boolean {
    const wasCandidate = this.#scheduler.remove(peer);
    if (wasCandidate) peer.forget(this.#key);
    this.#rebalancing.remove(peer);
    return wasCandidate;
  }

  /** The worker has reported how many connections it has open here. */
  report(peer: Peer, open: number): void {
    this.#scheduler.report(peer, open);
  }

  // ── connections ────────────────────────────────────────────────────────────────────────────────

  /** The acceptor has this connection (transferred) from the kernel. */
  accepted(connection: NativeHandle): void {
    this.#counters.accepted(connection);
    this.#queued(connection);
  }

  /** Has this worker ever listened here, so that it may give connections back? */
  mayGive(giver: Peer): boolean {
    return this.#returned.mayGive(giver);
  }

  /** A worker gives an idle connection of this address back. False: nobody else could take it, and it stays with its worker. */
  takeBack(giver: Peer, connection: NativeHandle, acceptor: Acceptor): boolean {
    // Without any worker the address is kept, and it waits.
    if (this.#heir === null && (this.#pause.isOn || this.#scheduler.mustKeep(giver) || !acceptor.hasRoomFor(connection))) return false;
    this.#counters.returned();
    this.#scheduler.returned(giver);
    this.#rebalancing.returned(giver);
    this.#returned.add(connection, giver);
    traceHandle('returned', this.#key, connection);
    this.#queued(connection);
    return true;
  }

  /** Takes a connection (transferred) of another primary. `moved`: a worker had it there. `ended` is called when a worker has it (true), or when it is closed without one. */
  adopt(connection: NativeHandle, moved: boolean, ended?: (taken: boolean) => void): void {
    if (moved) this.#returned.add(connection, null);
    if (ended !== undefined) this.#adopted.set(connection, ended);
    this.#queued(connection);
  }

  #queued(connection: NativeHandle): void {
    traceHandle('queued', this.#key, connection);
    this.#queue.push(connection);
    this.distribute();
  }

  /** Hands off queued connections, as long as there are some and a worker has room. */
  distribute(): void {
    // A scheduling function may cause this call, if it disconnects a worker, say. The loop that called the function goes on.
    if (this.#distributing) return;
    this.#distributing = true;
    try {
      if (this.#heir === null) this.#handOffQueued();
      else this.#giveQueued(this.#heir);
    } finally {
      this.#distributing = false;
    }
    this.#acceptor()?.queued(this.#queue.length);
  }

  #handOffQueued(): void {
    while (this.#queue.length > 0 && !this.#pause.isOn) {
      const connection = this.#queue.first as NativeHandle;
      const giver = this.#returned.giverOf(connection);
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
      // If its channel has ended, it is about to be removed, and another one gets the connection.
      this.#send(candidate, connection);
    }
  }

  /** Hands everything that waits to the only worker, however much is in flight to it: it is about to leave (D66). */
  giveRest(): void {
    const [last] = this.#scheduler.candidates;
    while (last !== undefined && this.#queue.length > 0) {
      this.#scheduler.given(last);
      if (!this.#send(last, this.#queue.shift() as NativeHandle)) return;
    }
  }

  /** False: the worker's channel has ended, and the connection waits again. */
  #send(candidate: Candidate<Peer>, connection: NativeHandle): boolean {
    if (candidate.worker.handOff(this.#key, connection, candidate, this, this.#returned.has(connection))) {
      this.#counters.handedOff();
      traceHandle('handed off', this.#key, connection);
      return true;
    }
    this.#queue.unshift(connection);
    candidate.retired = true;
    return false;
  }

  /** A hand-off has ended. Called by peer.ts, in whose table it is no more; `connection` is transferred. */
  ended(candidate: Candidate<Peer>, connection: NativeHandle, outcome: Outcome): void {
    this.#scheduler.ended(candidate, outcome);
    this.#counters.ended(connection, outcome);
    const acceptor = this.#acceptor();
    if (outcome === 'accepted' || outcome === 'untold' || acceptor === null) {
      if (outcome === 'accepted') this.#moved(connection, candidate.worker);
      else this.#givenUp(connection);
      this.#returned.forget(connection);
      this.#adoptedHasEnded(connection, outcome === 'accepted');
      connection.close(); // The worker has its own copy (or may have one), or nobody is left who could take it.
      this.#pause.taken();
      acceptor?.freed();
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
      return; // The worker is about to be removed, and its removal distributes the queue.
    }
    this.distribute();
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

  /** Ends a pause, and distributes. */
  resume(): void {
    this.#pause.end();
    this.distribute();
  }

  // ── another primary (upgrade/) ─────────────────────────────────────────────────────────────────

  /** What waits, is accepted or comes back goes to `heir` from the next `resume` on; null: it is handed to workers again. */
  handOver(heir: Heir | null): void {
    this.#heir = heir;
  }

  #giveQueued(heir: Heir): void {
    for (let waiting = this.#queue.first; waiting !== undefined; waiting = this.#queue.first) {
      if (!heir(waiting, this.#returned.has(waiting))) return;
      this.#queue.shift();
      this.#returned.forget(waiting);
      traceHandle('closed', this.#key, waiting); // Here; it goes on in the other primary.
    }
  }

  #adoptedHasEnded(connection: NativeHandle, taken: boolean): void {
    if (this.#adopted.size === 0) return;
    const ended = this.#adopted.get(connection);
    this.#adopted.delete(connection);
    ended?.(taken);
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────

  /** The address is closed: so are the connections that wait. Those in flight come back by `ended`. */
  close(): void {
    this.#pause.end();
    this.#returned.close();
    for (const connection of this.#queue.drain()) {
      this.#counters.closed(connection);
      this.#returned.forget(connection);
      traceHandle('closed', this.#key, connection);
      connection.close();
      this.#adoptedHasEnded(connection, false);
    }
  }
}
