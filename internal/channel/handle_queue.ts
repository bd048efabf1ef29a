/**
 * Dialect *node*: one handle in flight. A message with a handle is written, and everything behind it
 * waits until the receiver has said that the fd came, or that it did not.
 *
 * Owns     the sent handle from `sent` on, until it is acknowledged, given up, or the channel ends:
 *          then `release` is called, once; the messages that wait behind it
 * Used by  channel.ts, which asks `busy` before it sends anything
 * Never    sends a borrowed handle twice: its owner may have closed it since
 * States   free ── sent ──► in flight ── acknowledged, given up, not written ──► free, or the next
 *                              ▲  └── refused (ATTEMPTS in all) ──┐               that waited
 *                              └──────────────────────────────────┘
 * Keeps    what waits leaves in the order of `send`, up to the next handle, and its length is known:
 *          it counts as unread
 * Wire     NODE_HANDLE + fd →    ← NODE_HANDLE_ACK | NODE_HANDLE_NACK
 * Node     _handleQueue and _pendingMessage of lib/internal/child_process.js. D10 (one retransmission
 *          is one more write of the same envelope), D11 (an acknowledgement of nothing is ignored)
 */
import { channelClosed } from '../errors';
import { Fifo } from '../fifo';
import type { NativeHandle } from '../native/bindings';
import type { Outgoing } from './handles';
import type { Told } from './outbox';

/** How often a socket is sent in all when the receiver says that its fd did not come. */
const ATTEMPTS = 4;

/** A message that waits behind the handle in flight. */
export interface Waiting {
  /** Sends it now. */
  leave(): void;
  /** Its length on the wire; of JSON in characters. */
  readonly bytes: number;
  readonly told: Told;
}

interface InFlight {
  readonly outgoing: Outgoing;
  readonly frame: string | Buffer;
  attempts: number;
}

/** What the channel does for it. */
export interface OneInFlightSink {
  /** Writes the same frame and fd once more. */
  again(frame: string | Buffer, native: NativeHandle): void;
  /** A message that waited will not be sent. */
  fail(error: Error, told: Told): void;
  /** Nothing is in flight any more, and nothing waits. */
  idle(): void;
}

/** The handle in flight, and what waits behind it. */
export class OneInFlight {
  readonly #sink: OneInFlightSink;
  #flight: InFlight | null = null;
  readonly #waiting = new Fifo<Waiting>();
  #bytes = 0;
  /** Those that waited are being sent: what their `toJSON` sends comes behind them. */
  #sending = false;

  constructor(sink: OneInFlightSink) {
    this.#sink = sink;
  }

  /** The length of all that waits. */
  get bytes(): number {
    return this.#bytes;
  }

  get busy(): boolean {
    return this.#flight !== null || this.#sending;
  }

  /** A message waits its turn. True for the first one that does. */
  wait(waiting: Waiting): boolean {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    return this.#waiting.length === 1;
  }

  /** A handle (transferred where it is owned) is about to be written; call what is returned if it cannot be. */
  sent(outgoing: Outgoing, frame: string | Buffer): () => void {
    const flight: InFlight = { outgoing, frame, attempts: 1 };
    this.#flight = flight;
    // What could not be written is never acknowledged: the others need not wait for it.
    return () => {
      if (this.#flight === flight) this.acknowledged();
    };
  }

  /** The receiver has the fd. */
  acknowledged(): void {
    if (this.#flight === null) return; // Forged, or a second one (D11).
    this.#flight.outgoing.release();
    this.#next();
  }

  /** The receiver got the message without its fd. */
  refused(): void {
    const flight = this.#flight;
    if (flight === null) return;
    const { outgoing, frame } = flight;
    // Only what we own can be sent again: the others' owners may have closed them.
    if (outgoing.owned && flight.attempts < ATTEMPTS) {
      flight.attempts++;
      this.#sink.again(frame, outgoing.native);
      return;
    }
    outgoing.release();
    try {
      if (outgoing.owned) process.emitWarning('Handle did not reach the receiving process correctly', 'SentHandleNotReceivedWarning');
    } finally {
      this.#next();
    }
  }

  /** Sends what waited, up to the next handle. */
  #next(): void {
    this.#flight = null;
    if (this.#sending) return; // Further down the stack: the loop there goes on.
    this.#sending = true;
    let waiting: Waiting | undefined;
    while (this.#flight === null && (waiting = this.#waiting.shift()) !== undefined) {
      this.#bytes -= waiting.bytes;
      try {
        waiting.leave();
      } catch (error) {
        this.#sink.fail(error as Error, waiting.told);
      }
    }
    this.#sending = false;
    this.#sink.idle();
  }

  /** The channel has ended: the handle is let go, and what waits is not sent. */
  close(): void {
    const flight = this.#flight;
    this.#flight = null;
    flight?.outgoing.release();
    this.#bytes = 0;
    for (const { told: { sent } } of this.#waiting.drain()) {
      if (sent !== undefined) this.#sink.fail(channelClosed(), { sent });
    }
  }
}
