/**
 * Dialect *node*: one handle is in flight at a time. After a message with a handle was written, all later messages wait
 * until the receiver acknowledges the handle, or refuses it because its fd did not arrive.
 *
 * Owns     the sent handle, from `sent` until it is acknowledged, given up, or the channel ends. Then `release` is called,
 *          once. Also the messages that wait behind the handle
 * Used by  channel.ts, which asks `busy` before it sends anything; incoming.ts, which reports acknowledgements
 * Never    sends a borrowed handle twice: its owner may have closed it since
 * States   free ── sent ──► in flight ── acknowledged, given up or not written ──► free, or the next waiting handle
 *                              ▲  └── refused (up to ATTEMPTS) ──┐
 *                              └──────── sent again ◄────────────┘
 * Keeps    the waiting messages leave in the order of `send`, up to the next handle. Their total length is known, since
 *          `limits.unreadBytes` counts them
 * Wire     NODE_HANDLE + fd →    ← NODE_HANDLE_ACK | NODE_HANDLE_NACK
 * Node     _handleQueue and _pendingMessage of lib/internal/child_process.js. D10 (a retransmission is one more write of
 *          the same envelope), D11 (an acknowledgement without a handle in flight is ignored)
 */
import { channelClosed } from '../errors';
import { Fifo } from '../fifo';
import type { NativeHandle } from '../native/bindings';
import type { Outgoing } from './handles';
import type { Completion } from './outbox';

/** How many times a handle is sent in all, if the receiver refuses it each time: as many as in Node. */
const ATTEMPTS = 4;

/** A message that waits behind the handle in flight. */
export interface Waiting {
  /** Sends the message now. */
  send(): void;
  /** Its length on the wire, in bytes; of JSON in characters. */
  readonly bytes: number;
  readonly completion: Completion;
}

interface InFlight {
  readonly outgoing: Outgoing;
  readonly frame: string | Buffer;
  /** To be called if a write of it fails. */
  readonly failed: () => void;
  attempts: number;
}

/** The callbacks of the queue, which the channel implements. */
export interface HandleQueueSink {
  /** Writes the same frame and fd once more. `failed` is called if that fails. */
  sendAgain(frame: string | Buffer, native: NativeHandle, failed: () => void): void;
  /** A waiting message will not be sent. */
  fail(error: Error, completion: Completion): void;
  /** No handle is in flight and no message waits. */
  idle(): void;
}

/** The handle in flight, and the messages that wait behind it. */
export class HandleQueue {
  readonly #sink: HandleQueueSink;
  #inFlight: InFlight | null = null;
  readonly #waiting = new Fifo<Waiting>();
  #bytes = 0;
  /**
   * `#sendWaiting` runs. While it does, a message that the app sends (from a `toJSON`, for example) must wait behind the
   * others. A handle can be in flight at the same time, so this is no state of its own.
   */
  #sending = false;

  constructor(sink: HandleQueueSink) {
    this.#sink = sink;
  }

  /** The total length of the waiting messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Must the next message wait? */
  get busy(): boolean {
    return this.#inFlight !== null || this.#sending;
  }

  /** Adds a message. Returns true if no other message waits. */
  add(waiting: Waiting): boolean {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    return this.#waiting.length === 1;
  }

  /** A handle is about to be written (transferred, if it is owned). Call the returned function if the write fails. */
  sent(outgoing: Outgoing, frame: string | Buffer): () => void {
    // A handle that could not be written is never acknowledged, so the waiting messages go on without it.
    const failed = (): void => {
      if (this.#inFlight === inFlight) this.acknowledged();
    };
    const inFlight: InFlight = { outgoing, frame, failed, attempts: 1 };
    this.#inFlight = inFlight;
    return failed;
  }

  /** The receiver has the fd. */
  acknowledged(): void {
    if (this.#inFlight === null) return; // A forged acknowledgement, or a second one (D11).
    this.#inFlight.outgoing.release();
    this.#sendWaiting();
  }

  /** The receiver got the message without its fd. */
  refused(): void {
    const inFlight = this.#inFlight;
    if (inFlight === null) return;
    const { outgoing, frame, failed } = inFlight;
    // Only an owned handle can be sent again: the owner of a borrowed one may have closed it.
    if (outgoing.owned && inFlight.attempts < ATTEMPTS) {
      inFlight.attempts++;
      this.#sink.sendAgain(frame, outgoing.native, failed);
      return;
    }
    outgoing.release();
    try {
      if (outgoing.owned) process.emitWarning('Handle did not reach the receiving process correctly', 'SentHandleNotReceivedWarning');
    } finally {
      this.#sendWaiting();
    }
  }

  /** Sends the waiting messages, up to the next handle. */
  #sendWaiting(): void {
    this.#inFlight = null;
    if (this.#sending) return; // Called from the loop below, which goes on.
    this.#sending = true;
    let waiting: Waiting | undefined;
    while (this.#inFlight === null && (waiting = this.#waiting.shift()) !== undefined) {
      this.#bytes -= waiting.bytes;
      try {
        waiting.send();
      } catch (error) {
        this.#sink.fail(error as Error, waiting.completion);
      }
    }
    this.#sending = false;
    this.#sink.idle();
  }

  /** The channel has ended: releases the handle in flight, and fails the callbacks of the waiting messages. */
  close(): void {
    const inFlight = this.#inFlight;
    this.#inFlight = null;
    inFlight?.outgoing.release();
    this.#bytes = 0;
    for (const { completion: { appCallback } } of this.#waiting.drain()) {
      if (appCallback !== undefined) this.#sink.fail(channelClosed(), { appCallback });
    }
  }
}
