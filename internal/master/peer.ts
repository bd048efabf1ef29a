/**
 * One worker as the primary talks to it: its messages are numbered here, and here is the table of
 * what is in flight to it.
 *
 * Owns     the connections handed off and not acknowledged (the primary's copies of their fds). Each
 *          ends in exactly one call of `settled`, with which its `RoundRobinHandle` owns it again.
 * Used by  master/index.ts (replies, acknowledgements, the worker's end), round_robin_handle.ts
 * Never    sends again what was acknowledged, or what may have been; closes what is not written yet
 * States   of a hand-off: sent ── acknowledge() ──► answered ──┐
 *                           └── written(null) ──► written ─────┴─ (both, in either order) ──► settled
 *                           └── written(error): unsent; lose(): lost, untold, or as answered ────▲
 * Keeps    1. answers come in the order of the hand-offs, so each settles from the head of what is
 *             unanswered; the ends of writes may come in any order
 *          2. after `lose()` nothing is in flight; what was goes back in order: latest first, each to
 *             the head of its queue
 *          3. an answer costs time for what it answers and for its own length, not for what is in flight
 *          4. an answer that cannot be true (to nothing that is in flight, or of addresses that this worker
 *             does not count) changes nothing, and its sender is cut off (D41)
 * Wire     P → W newconn(seq) + fd    W → P accepted(upTo, rejected) | reply(ack: seq, accepted)
 * Node     a closure per hand-off in a table of the whole process, which the death of the worker
 *          never empties: its client hangs for good. D3 mends that.
 */
import { Map, Set } from '../builtins';
import { Calls } from '../calls';
import type { Dialect } from '../channel/channel_types';
import { channelOf } from '../channel/attach_channel';
import { senselessAnswer } from '../errors';
import { Fifo } from '../fifo';
import type { Accepted, NewConnectionReply } from '../messages';
import type { NativeHandle } from '../native/bindings';
import type { Worker } from '../worker';
import type { Seat } from './scheduling';

/**
 * How a hand-off ended. `unsent`: it could not be written (no more fds can be under way, the pipe is
 * broken), so the worker has not seen it. `lost`: the worker is gone and never took it. `untold`: this
 * side closed the channel, with what the worker may have said still in it.
 */
export type Outcome = 'accepted' | 'rejected' | 'unsent' | 'lost' | 'untold';

/** Who handed a connection off, and owns it again when that has ended. */
export interface Source {
  settled(seat: Seat<Peer>, connection: NativeHandle, outcome: Outcome): void;
}

type Written = (error: Error | null) => void;
type Send = (connection: NativeHandle, told: { callback: Written }) => number;

interface HandOff {
  seq: number;
  readonly connection: NativeHandle;
  readonly seat: Seat<Peer>;
  readonly source: Source;
  /** Has the channel said that the kernel has it? It must stay open until then. */
  written: boolean;
  answer: 'accepted' | 'rejected' | null;
  settled: boolean;
}

/** A worker, as the primary speaks with it. */
export class Peer {
  readonly worker: Worker;
  readonly dialect: Dialect;
  readonly name: string;
  /** How much of the work it should get, beside the others. */
  readonly weight: number;
  readonly #calls: Calls<never>;
  /** What it has not answered, in the order of seq. */
  readonly #unanswered = new Fifo<HandOff>();
  /** What it has answered, and the channel has not said to be written: an answer can be read in the turn in which the kernel took the connection. */
  readonly #answered = new Set<HandOff>();
  /** How a connection for a key is sent: its message is encoded once. As long as the worker listens there. */
  readonly #sends = new Map<string, Send>();
  /** The addresses whose connections it was asked to count, until it closes there. */
  readonly #counting = new Set<string>();
  /** The seq of the last one. */
  #lastHandOff = -1;

  constructor(worker: Worker, dialect: Dialect, weight = 1) {
    this.weight = weight;
    this.worker = worker;
    this.dialect = dialect;
    this.name = `W${worker.id}`;
    this.#calls = new Calls(worker.process, 'P', this.name);
  }

  get inFlight(): number {
    return this.#unanswered.length + this.#answered.size;
  }

  /** Sends a message; `handle` is borrowed. False if the worker has no channel any more. */
  send(body: object, handle?: NativeHandle | null): boolean {
    return this.#calls.notify(body, handle) !== -1;
  }

  /** The worker is asked to count its connections at this address. */
  count(key: string): void {
    this.#counting.add(key);
  }

  /** The worker listens there no more, as far as the primary is concerned: nothing is handed off under this key. */
  forget(key: string): void {
    this.#sends.delete(key);
  }

  /** The worker itself has closed there: it counts no more. */
  closed(key: string): void {
    this.#counting.delete(key);
  }

  /** Hands a connection to the worker's server `key`. False, and the caller keeps it, if there is no channel. */
  handOff(key: string, connection: NativeHandle, seat: Seat<Peer>, source: Source): boolean {
    let send = this.#sends.get(key);
    if (send === undefined) this.#sends.set(key, send = this.#calls.prepare({ act: 'newconn', key }));
    const handOff: HandOff = { seq: -1, connection, seat, source, written: false, answer: null, settled: false };
    this.#unanswered.push(handOff);
    handOff.seq = send(connection, { callback: (error) => this.#written(handOff, error) });
    if (handOff.seq === -1) {
      this.#unanswered.remove((one) => one === handOff);
      return false;
    }
    this.#lastHandOff = handOff.seq;
    return true;
  }

  #written(handOff: HandOff, error: Error | null): void {
    if (handOff.settled) return; // Lost by now.
    handOff.written = true;
    const { answer } = handOff;
    if (error === null && answer === null) return;
    if (!this.#answered.delete(handOff)) this.#unanswered.remove((one) => one === handOff);
    settle(handOff, error !== null || answer === null ? 'unsent' : answer);
  }

  /**
   * What the worker says of its hand-offs; `report` gets what it says of its open connections. False if that cannot be
   * true: the worker is cut off then.
   */
  answer(message: Accepted | NewConnectionReply, report: (open: Readonly<Record<string, number>>) => void): boolean {
    if ('ack' in message) return this.reply(message.ack, message.accepted);
    const { upTo, rejected = [], open } = message;
    if (open !== undefined) {
      if (!this.#mayReport(open)) return this.#refuse();
      report(open);
    }
    return this.acknowledge(upTo, rejected);
  }

  #mayReport(open: Readonly<Record<string, number>>): boolean {
    let keys = 0;
    for (const key in open) if (++keys > this.#counting.size || !this.#counting.has(key)) return false;
    return true;
  }

  /** Dialect node: the worker answered one hand-off. */
  reply(seq: number, accepted: boolean): boolean {
    const handOff = this.#unanswered.remove((one) => one.seq === seq);
    if (handOff === undefined) return this.#refuse();
    this.#answer(handOff, accepted ? 'accepted' : 'rejected');
    return true;
  }

  /** Dialect pipelined: the worker answered everything up to `upTo`, and refused what is in `rejected`. */
  acknowledge(upTo: number, rejected: readonly number[]): boolean {
    if (upTo > this.#lastHandOff || rejected.length > this.#unanswered.length) return this.#refuse();
    const refused = new Set(rejected);
    if (refused.size < rejected.length || !this.#areIn(refused, upTo)) return this.#refuse();
    // What is settled makes room, and what is handed off then has a higher number.
    for (let head = this.#unanswered.first; head !== undefined && head.seq <= upTo; head = this.#unanswered.first) {
      this.#unanswered.shift();
      this.#answer(head, refused.has(head.seq) ? 'rejected' : 'accepted');
    }
    return true;
  }

  /** What the channel has not said to be written must stay open: its answer waits until it has. */
  #answer(handOff: HandOff, answer: 'accepted' | 'rejected'): void {
    handOff.answer = answer;
    if (handOff.written) settle(handOff, answer);
    else this.#answered.add(handOff);
  }

  #refuse(): false {
    channelOf(this.worker.process)?.cutOff(senselessAnswer());
    return false;
  }

  /** Are all of these numbers of hand-offs that are answered now? */
  #areIn(seqs: ReadonlySet<number>, upTo: number): boolean {
    if (seqs.size === 0) return true;
    let found = 0;
    for (const { seq } of this.#unanswered) {
      if (seq > upTo) break;
      if (seqs.has(seq)) found++;
    }
    return found === seqs.size;
  }

  /**
   * The channel has ended: `lost` if the worker ended it, `untold` if this side did. What was answered
   * by then stays answered, also where the channel has not said what became of its write.
   */
  lose(outcome: 'lost' | 'untold'): void {
    const left = [...this.#answered, ...this.#unanswered.drain()];
    this.#answered.clear();
    for (const handOff of left.reverse()) settle(handOff, handOff.answer ?? outcome);
  }
}

function settle(handOff: HandOff, outcome: Outcome): void {
  handOff.settled = true;
  handOff.source.settled(handOff.seat, handOff.connection, outcome);
}
