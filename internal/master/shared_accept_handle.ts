/**
 * One listening address under `scheduling: 'shared'`: the primary binds and listens, each worker gets a copy of the
 * listening socket and accepts by itself, and quotas keep the workers even.
 *
 *   client ──► the kernel's queue of the socket ──► the worker that is woken first, unless it is at its quota
 *                                             └──► the primary, while no worker listens (`keepListening`)
 *
 * Round robin passes each connection through the primary, and so one process bounds the whole. Under SCHED_NONE no process
 * does, but the kernel wakes the same workers again and again. Here the primary runs no code for a connection: it reads
 * some reports and sends some quotas per second.
 *
 * The primary can have connections all the same: those that a worker gives back (returnIdle, rebalance), and those that it
 * accepts while no worker listens. `#passed` is a round robin handle of this address that accepts only then, and hands
 * them off as it always does. It also binds, and owns the listening socket.
 *
 * Owns     the quotas; `#passed` owns everything else
 * Used by  listen_table.ts, which makes one for each address
 * Uses     round_robin_handle.ts, accept_quotas.ts (the rule, and which worker it counts)
 * Never    accepts while a worker listens. Never makes a worker wait: a worker that hears nothing goes on alone
 *          (child/accept_pause.ts), and one that dies leaves what it has not accepted to the others, in the kernel's queue
 * Keeps    a worker has a part in the quotas exactly while it is a candidate of `#passed`, if it is ours. A stock worker
 *          (dialect node) gets the socket too, reports nothing and is never paused
 * Wire     W → P queryServer   P → W reply(quotas) + listening socket   W → P progress   P → W quota
 * Node     has no such handle (D63). UDP is a SharedHandle under every rule
 */
import type { KeepListening } from '../limits';
import type { Progress, QueryServer } from '../messages';
import type { NativeHandle } from '../native/bindings';
import { AcceptQuotas } from './accept_quotas';
import type { Peer } from './peer';
import { RoundRobinHandle, type AddressOptions } from './round_robin_handle';
import type { HandleReply, Heir, ServerHandle } from './server_handle';

/** A listening address at which the workers accept by themselves, evenly. */
export class SharedAcceptHandle implements ServerHandle {
  readonly #passed: RoundRobinHandle;
  readonly #quotas: AcceptQuotas<Peer>;

  constructor(key: string, query: QueryServer, options: Omit<AddressOptions, 'scheduling' | 'accepts'> = {}) {
    this.#passed = new RoundRobinHandle(key, query, { ...options, scheduling: 'shared', accepts: 'alone' });
    this.#quotas = new AcceptQuotas((peer, terms) => void peer.quota({ key, ...terms }));
  }

  get data(): unknown {
    return this.#passed.data;
  }

  set data(data: unknown) {
    this.#passed.data = data;
  }

  has(peer: Peer): boolean {
    return this.#passed.has(peer);
  }

  add(peer: Peer, reply: HandleReply): void {
    this.#passed.add(peer, (errno, fields, socket) => {
      if (errno || peer.dialect !== 'pipelined') return reply(errno, fields, socket);
      this.#quotas.add(peer, peer.weight);
      reply(errno, { ...fields, quotas: true }, socket);
    });
  }

  progress(peer: Peer, progress: Progress): void {
    this.#quotas.report(peer, progress);
  }

  report(peer: Peer, open: number): void {
    this.#passed.report(peer, open);
  }

  takeBack(giver: Peer, connection: NativeHandle): boolean {
    return this.#passed.takeBack(giver, connection);
  }

  remove(peer: Peer, keep: KeepListening | null = null): boolean {
    this.#quotas.remove(peer);
    const isLast = this.#passed.remove(peer, keep);
    if (isLast && keep === null) this.#quotas.close();
    return isLast;
  }

  close(): void {
    this.#quotas.close();
    this.#passed.close();
  }

  get queued(): number {
    return this.#passed.queued;
  }

  get listening(): boolean {
    return this.#passed.listening;
  }

  // ── another primary (upgrade/): the workers of both accept from the same socket meanwhile ───────

  get native(): NativeHandle | null {
    return this.#passed.native;
  }

  handOver(heir: Heir): void {
    this.#passed.handOver(heir);
  }

  serve(): void {
    this.#passed.serve();
  }

  giveMore(): void {
    this.#passed.giveMore();
  }

  stopAccepting(): void {
    this.#passed.stopAccepting();
  }

  adopt(connection: NativeHandle, moved: boolean, ended?: (taken: boolean) => void): boolean {
    return this.#passed.adopt(connection, moved, ended);
  }
}
