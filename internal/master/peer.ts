/**
 * One worker as the primary talks to it: its messages are numbered here, and here is the table of
 * what is in flight to it.
 *
 * Owns     the connections handed off and not acknowledged (the primary's copies of their fds). Each
 *          ends in exactly one call of `settled`, with which its `RoundRobinHandle` owns it again.
 * Used by  master/index.ts (replies, acknowledgements, the worker's end), round_robin_handle.ts
 * Never    sends again what was acknowledged, or what may have been; closes what is not written yet
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

interface HandOff {
  readonly seq: number;
  readonly connection: NativeHandle;
  readonly seat: Seat<Peer>;
  readonly source: Source;
}

/** A worker, as the primary speaks with it. */
export class Peer {
  readonly worker: Worker;
  readonly dialect: Dialect;
  readonly name: string;
  /** How much of the work it should get, beside the others. */
  readonly weight: number;
  readonly #calls: Calls<never>;
  readonly #inFlight = new Fifo<HandOff>();
  /** How a connection for a key is sent: its message is encoded once. */
  readonly #handOffs = new Map<string, (connection: NativeHandle, told: { callback: (error: Error | null) => void }) => number>();
  /** The seq of the last one. */
  #lastHandOff = -1;
  /** How many of them the channel has not said to be written: the last ones. */
  #unwritten = 0;
  /** Answers to some of those: an answer can be read in the turn in which the kernel took the connection. */
  #answers: { readonly upTo: number; readonly rejected: readonly number[] }[] = [];

  constructor(worker: Worker, dialect: Dialect, weight = 1) {
    this.weight = weight;
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
  handOff(key: string, connection: NativeHandle, seat: Seat<Peer>, source: Source): boolean {
    let send = this.#handOffs.get(key);
    if (send === undefined) this.#handOffs.set(key, send = this.#calls.prepare({ act: 'newconn', key }));
    const seq = send(connection, this.#told);
    if (seq === -1) return false;
    this.#lastHandOff = seq;
    this.#unwritten++;
    this.#inFlight.push({ seq, connection, seat, source });
    return true;
  }

  /** Hand-offs are written in their order, so a count says which; one function serves them all. */
  readonly #told = { callback: (error: Error | null): void => this.#written(error) };

  #written(error: Error | null): void {
    let at = this.#inFlight.length - this.#unwritten--;
    if (at < 0) return; // Lost by now.
    const unsent = error === null ? undefined : this.#inFlight.remove(() => at-- === 0);
    if (unsent !== undefined) unsent.source.settled(unsent.seat, unsent.connection, 'unsent');
    this.#settleAnswered();
  }

  /**
   * The worker answered everything up to `upTo`, and refused what is in `rejected`. What the channel
   * has not said to be written must stay open: its answer, if it is one, waits until it has.
   */
  acknowledge(upTo: number, rejected: readonly number[]): void {
    if (upTo > this.#lastHandOff || upTo <= (this.#answers.at(-1)?.upTo ?? -1)) return;
    this.#answers.push({ upTo, rejected });
    this.#settleAnswered();
  }

  #settleAnswered(): void {
    const answers = this.#answers;
    // What is settled makes room, and what is handed off then may be written at once: that finds nothing to settle.
    this.#answers = [];
    for (let answer = answers[0]; answer !== undefined; answer = answers[0]) {
      for (let head = this.#inFlight.first; head !== undefined && head.seq <= answer.upTo; head = this.#inFlight.first) {
        if (this.#inFlight.length === this.#unwritten) {
          this.#answers = answers;
          return;
        }
        this.#inFlight.shift();
        head.source.settled(head.seat, head.connection, outcomeOf(head, answer.rejected));
      }
      answers.shift();
    }
  }

  /**
   * The channel has ended: `lost` if the worker ended it, `untold` if this side did. What was answered
   * by then stays answered, also where the channel has not said what became of its write.
   */
  lose(outcome: 'lost' | 'untold'): void {
    const answers = this.#answers;
    this.#answers = [];
    for (const handOff of this.#inFlight.drain().reverse()) {
      const answer = answers.find(({ upTo }) => handOff.seq <= upTo);
      handOff.source.settled(handOff.seat, handOff.connection, answer === undefined ? outcome : outcomeOf(handOff, answer.rejected));
    }
  }
}

function outcomeOf({ seq }: HandOff, rejected: readonly number[]): Outcome {
  return rejected.includes(seq) ? 'rejected' : 'accepted';
}
