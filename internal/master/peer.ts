/**
 * One worker as the primary talks to it: its messages are numbered here, and here is the table of
 * what is in flight to it.
 *
 * Owns     the connections handed off and not acknowledged (the primary's copies of their fds). Each
 *          ends in exactly one call of `settled`, with which its `RoundRobinHandle` owns it again.
 * Used by  master/index.ts (replies, acknowledgements, the worker's end), round_robin_handle.ts
 * Never    sends again what was acknowledged
 * Keeps    1. hand-offs are in the order of their seq, so an acknowledgement settles from the head
 *          2. after `lose()` nothing is in flight; what was goes back in order: latest first, each to
 *             the head of its queue
 * Wire     P → W newconn(seq) + fd    W → P accepted(upTo, rejected) | reply(ack: seq, accepted)
 * Node     a closure per hand-off in a table of the whole process, which the death of the worker
 *          never empties: its client hangs for good. D3 mends that.
 */
import { Calls } from '../calls';
import type { Dialect } from '../channel/channel';
import { Fifo } from '../fifo';
import type { NativeHandle } from '../native';
import type { Worker } from '../worker';

/** How a hand-off ended. `lost`: the worker is gone and never took it. */
export type Outcome = 'accepted' | 'rejected' | 'lost';

/** Who handed a connection off, and owns it again when that has ended. */
export interface Source {
  settled(peer: Peer, connection: NativeHandle, outcome: Outcome): void;
}

interface HandOff {
  readonly seq: number;
  readonly connection: NativeHandle;
  readonly source: Source;
}

/** A worker, as the primary speaks with it. */
export class Peer {
  readonly worker: Worker;
  readonly dialect: Dialect;
  readonly name: string;
  readonly #calls: Calls<never>;
  readonly #inFlight = new Fifo<HandOff>();
  /** The seq of the last connection that was handed off. */
  #lastHandOff = -1;

  constructor(worker: Worker, dialect: Dialect) {
    this.worker = worker;
    this.dialect = dialect;
    this.name = `W${worker.id}`;
    this.#calls = new Calls(worker.process, 'P', this.name);
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** Sends a message; `handle` is borrowed. False if the worker has no channel any more. */
  send(body: object, handle?: NativeHandle | null): boolean {
    return this.#calls.notify(body, handle) !== -1;
  }

  /** Hands a connection to the worker's server `key`. False, and the caller keeps it, if there is no channel. */
  handOff(key: string, connection: NativeHandle, source: Source): boolean {
    const seq = this.#calls.notify({ act: 'newconn', key }, connection);
    if (seq === -1) return false;
    this.#lastHandOff = seq;
    this.#inFlight.push({ seq, connection, source });
    return true;
  }

  /**
   * The worker answered everything up to `upTo`, and refused what is in `rejected`. An answer to what
   * was never sent is no answer.
   */
  acknowledge(upTo: number, rejected: readonly number[]): void {
    if (upTo > this.#lastHandOff) return;
    for (let first = this.#inFlight.first; first !== undefined && first.seq <= upTo; first = this.#inFlight.first) {
      this.#inFlight.shift();
      const { seq, connection, source } = first;
      source.settled(this, connection, rejected.includes(seq) ? 'rejected' : 'accepted');
    }
  }

  /** The worker is gone. */
  lose(): void {
    for (const { connection, source } of this.#inFlight.drain().reverse()) source.settled(this, connection, 'lost');
  }
}
