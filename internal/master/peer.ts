/**
 * One worker as the primary talks to it: the primary's messages to it are numbered here, and this is the
 * table of the connections that are in flight to it.
 *
 * Owns     the connections that were handed off and not acknowledged (the primary's copies of their fds).
 *          Each hand-off ends in exactly one call of `ended`, which gives the connection back to its
 *          `RoundRobinHandle`.
 * Used by  index.ts (replies, acknowledgements, the worker's end), hand_off_queue.ts, round_robin_handle.ts, listen_table.ts; scheduler.ts (Outcome)
 * Never    sends a connection again that was acknowledged, or may have been; closes the primary's copy
 *          of an fd before the kernel has taken it
 * States   of a hand-off: sent ── acknowledge() ──► answered ──┐
 *                           └── written(null) ──► written ─────┴─ (both, in either order) ──► ended
 *                           └── written(error): unsent; lose(): lost, untold, or as answered ──▲
 * Keeps    1. the worker answers hand-offs in their order, so acknowledgements are applied from the head of
 *             `#unanswered`; writes may complete in any order
 *          2. after `lose()` nothing is in flight. The connections go back in order: the latest first, each
 *             to the head of its queue
 *          3. the cost of an acknowledgement grows with the number of hand-offs that it answers and with
 *             its own length, not with the number in flight
 *          4. an answer that cannot be true (it answers nothing that is in flight, or it reports connections
 *             of an address that this worker does not count) changes nothing, and the worker's channel is
 *             cut off (D41)
 * Wire     P → W newconn(seq) + fd    W → P accepted(upTo, rejected) | reply(ack: seq, accepted)
 * Node     keeps one closure per hand-off in a table of the whole process, and does not empty it when
 *          the worker dies: the client of such a hand-off hangs for good. D3 mends that.
 */
import { Map, Set } from '../builtins';
import { Calls } from '../calls';
import type { Dialect } from '../channel/channel_types';
import { channelOf } from '../channel/attach_channel';
import { senselessAnswer } from '../errors';
import { Fifo } from '../fifo';
import type { Accepted, NewConnectionReply, Quota, ReturnIdle } from '../messages';
import type { NativeHandle } from '../native/bindings';
import type { Worker } from '../worker';
import type { Rebalance } from './rebalancing';
import type { Candidate } from './scheduling';

/**
 * How a hand-off ended. `unsent`: it could not be written (too many fds are on their way, or the pipe is
 * broken), so the worker has not seen it. `lost`: the worker is gone and has not acknowledged it. `untold`:
 * the primary closed the channel, and an acknowledgement may have been in it, unread.
 */
export type Outcome = 'accepted' | 'rejected' | 'unsent' | 'lost' | 'untold';

/** Hands connections off, and owns each again when its hand-off has ended. */
export interface Source {
  ended(candidate: Candidate<Peer>, connection: NativeHandle, outcome: Outcome): void;
}

type Written = (error: Error | null) => void;
type Send = (connection: NativeHandle, completion: { callback: Written }) => number;

interface HandOff {
  seq: number;
  readonly connection: NativeHandle;
  readonly candidate: Candidate<Peer>;
  readonly source: Source;
  /** Has the kernel taken the fd? The primary's copy must stay open until then. */
  written: boolean;
  answer: 'accepted' | 'rejected' | null;
  ended: boolean;
}

/** A worker, as the primary talks to it. */
export class Peer {
  readonly worker: Worker;
  readonly dialect: Dialect;
  readonly name: string;
  /** Its share of the connections, relative to the weights of the other workers. */
  readonly weight: number;
  /** How its connections are kept even with those of other workers; null: they stay where they are. */
  readonly rebalance: Rebalance | null;
  /** How many connections it has taken over from other workers. */
  moved = 0;
  readonly #calls: Calls<never>;
  /** Hand-offs that the worker has not answered, in the order of `seq`. */
  readonly #unanswered = new Fifo<HandOff>();
  /** Hand-offs that it has answered and whose write has not completed: the answer can be read before the completion is called. */
  readonly #answered = new Set<HandOff>();
  /** Sends a connection of a key: the message is encoded once. An entry lives as long as the worker listens there. */
  readonly #sends = new Map<string, Send>();
  /** The same for connections that come from another worker. */
  readonly #sendsMoved = new Map<string, Send>();
  /** The keys of the addresses whose connections this worker was asked to count, until it closes there. */
  readonly #counting = new Set<string>();
  /** The `seq` of the last hand-off. 0: there was none, since the reply that lets the worker listen has a number before. */
  #lastHandOff = 0;

  constructor(worker: Worker, dialect: Dialect, { weight = 1, rebalance = null }: { weight?: number | undefined; rebalance?: Rebalance | null } = {}) {
    this.weight = weight;
    this.rebalance = rebalance;
    this.worker = worker;
    this.dialect = dialect;
    this.name = `W${worker.id}`;
    this.#calls = new Calls(worker.process, 'P', this.name);
  }

  get inFlight(): number {
    return this.#unanswered.length + this.#answered.size;
  }

  /** Sends a message; `handle` is borrowed. False if the worker's channel has ended. */
  send(body: object, handle?: NativeHandle | null): boolean {
    return this.#calls.notify(body, handle) !== -1;
  }

  /** Asks the worker to return idle connections, `max` at most; see ReturnIdle in messages.ts for `of`. False if it cannot be asked. */
  returnIdle(max: number, of?: Pick<ReturnIdle, 'key' | 'keep'>): boolean {
    if (this.dialect !== 'pipelined') return false;
    return this.send({ act: 'returnIdle', ...(max === Infinity ? {} : { max }), ...of } satisfies ReturnIdle);
  }

  /** How far the worker may go on accepting by itself. */
  quota(quota: Omit<Quota, 'act'>): boolean {
    return this.send({ act: 'quota', ...quota } satisfies Quota);
  }

  /** The worker is asked to count its open connections at this address. */
  count(key: string): void {
    this.#counting.add(key);
  }

  /** The primary hands nothing more to the worker under this key. */
  forget(key: string): void {
    this.#sends.delete(key);
    this.#sendsMoved.delete(key);
  }

  /** The worker has closed its server there: its reports no longer include this address. */
  closed(key: string): void {
    this.#counting.delete(key);
  }

  /**
   * Hands a connection to the worker's server `key`; it is transferred until `source.ended`. `moved`: another worker has
   * given it back. False if the channel has ended: the caller keeps it.
   */
  handOff(key: string, connection: NativeHandle, candidate: Candidate<Peer>, source: Source, moved = false): boolean {
    const isMove = moved && this.dialect === 'pipelined';
    const sends = isMove ? this.#sendsMoved : this.#sends;
    let send = sends.get(key);
    if (send === undefined) sends.set(key, send = this.#calls.prepare({ act: 'newconn', key, ...(isMove ? { moved: true } : {}) }));
    const handOff: HandOff = { seq: -1, connection, candidate, source, written: false, answer: null, ended: false };
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
    if (handOff.ended) return; // The channel has ended since.
    handOff.written = true;
    const { answer } = handOff;
    if (error === null && answer === null) return;
    if (!this.#answered.delete(handOff)) this.#unanswered.remove((one) => one === handOff);
    end(handOff, error !== null || answer === null ? 'unsent' : answer);
  }

  /**
   * Applies an answer of the worker to its hand-offs; `report` gets its counts of open connections. Returns false,
   * and cuts the worker off, if the answer cannot be true.
   */
  answer(message: Accepted | NewConnectionReply, report: (open: Readonly<Record<string, number>>) => void): boolean {
    if ('ack' in message) return this.reply(message.ack, message.accepted);
    const { upTo, rejected = nothing, open } = message;
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

  /** Dialect node: the worker answered one hand-off. False as for `answer`. */
  reply(seq: number, accepted: boolean): boolean {
    const handOff = this.#unanswered.remove((one) => one.seq === seq);
    if (handOff === undefined) return this.#refuse();
    this.#answer(handOff, accepted ? 'accepted' : 'rejected');
    return true;
  }

  /** Dialect pipelined: the worker took every hand-off up to `upTo` but those in `rejected`. False as for `answer`. */
  acknowledge(upTo: number, rejected: readonly number[]): boolean {
    if (upTo > this.#lastHandOff || rejected.length > this.#unanswered.length) return this.#refuse();
    const refused = rejected.length === 0 ? none : new Set(rejected);
    if (refused.size < rejected.length || !this.#areIn(refused, upTo)) return this.#refuse();
    // Each hand-off that ends makes room for the next one, whose number is higher than `upTo`.
    for (let head = this.#unanswered.first; head !== undefined && head.seq <= upTo; head = this.#unanswered.first) {
      this.#unanswered.shift();
      this.#answer(head, refused.has(head.seq) ? 'rejected' : 'accepted');
    }
    return true;
  }

  /** A hand-off whose write has not completed ends later: the primary's copy must stay open until then. */
  #answer(handOff: HandOff, answer: 'accepted' | 'rejected'): void {
    handOff.answer = answer;
    if (handOff.written) end(handOff, answer);
    else this.#answered.add(handOff);
  }

  #refuse(): false {
    channelOf(this.worker.process)?.cutOff(senselessAnswer());
    return false;
  }

  /** Is each of these the number of a hand-off that is being answered now? */
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
   * The channel has ended: `lost` if the worker ended it, `untold` if the primary did. A hand-off that was
   * answered before stays answered, also if its write has not completed.
   */
  lose(outcome: 'lost' | 'untold'): void {
    const left = [...this.#answered, ...this.#unanswered.drain()];
    this.#answered.clear();
    for (const handOff of left.reverse()) end(handOff, handOff.answer ?? outcome);
  }
}

/** Most acknowledgements reject nothing. */
const nothing: readonly number[] = [];
const none: ReadonlySet<number> = new Set();

function end(handOff: HandOff, outcome: Outcome): void {
  handOff.ended = true;
  handOff.source.ended(handOff.candidate, handOff.connection, outcome);
}
