/**
 * The callbacks that a program gives to `send`. Each is called in a tick of its own, in the async
 * context of its own send (AsyncLocalStorage, async_hooks), and in the order of the sends: one whose
 * message is written waits while the write of an earlier one is under way. A message that is refused,
 * and not written at all, waits for nothing: its sender hears of it at once, as in Node.
 *
 * Owns     the callbacks that have not been called
 * Used by  channel.ts, which adds them; outbox.ts, which says how their writes ended
 * Never    calls one inside `send`, or inside a completion: one that throws stops nothing
 * Keeps    1. each is called once, in the order in which they were added
 *          2. its tick is begun by `add`, so that a message that is written at once is confirmed where
 *             Node does it, and in the context of its send at no cost
 *          3. only one that its tick finds unwritten, or behind such a one, costs an AsyncResource; it
 *             has the type that Node's own write has there
 */
import type { AsyncResource } from 'node:async_hooks';
import { Fifo } from '../fifo';

/** Told when a message was written, or why it was not. */
export type SendCallback = (error: Error | null) => void;

/** A callback that was not called yet. */
export interface Sent {
  readonly callback: SendCallback;
  /** How the write ended; undefined while it has not. */
  error: Error | null | undefined;
  /** Its tick has come or has begun: nothing waits for it any more. */
  called: boolean;
  /** The context of its send, once its tick is over. */
  context: AsyncResource | undefined;
}

/** The callbacks of one channel. */
export class SendCallbacks {
  readonly #waiting = new Fifo<Sent>();
  readonly #flush: () => void;

  /** `flush` writes what is joined: a callback's tick is the end of its turn. */
  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /** A message with a callback is being sent, in this context. */
  add(callback: SendCallback): Sent {
    const sent: Sent = { callback, error: undefined, called: false, context: undefined };
    this.#waiting.push(sent);
    process.nextTick(this.#tick, sent);
    return sent;
  }

  /** Its write has ended. */
  settle(sent: Sent, error: Error | null): void {
    sent.error = error;
    this.#callThoseWaiting();
  }

  /** It will not be written. */
  refuse(sent: Sent, error: Error): void {
    sent.error = error;
    sent.called = true;
    if (sent.context !== undefined) callIn(sent.context, sent, error);
    this.#callThoseWaiting();
  }

  readonly #tick = (sent: Sent): void => {
    if (sent.error === undefined) this.#flush();
    const { error } = sent;
    if (!sent.called && (error === undefined || this.#waiting.first !== sent)) {
      const { AsyncResource } = require('node:async_hooks') as typeof import('node:async_hooks');
      sent.context = new AsyncResource('WRITEWRAP');
      return;
    }
    sent.called = true;
    this.#callThoseWaiting(); // Their ticks come behind this callback, which may throw.
    sent.callback(error as Error | null);
  };

  /** Begins the ticks of those at the head that are written and whose own tick is over. */
  #callThoseWaiting(): void {
    for (let sent = this.#waiting.first; sent !== undefined; sent = this.#waiting.first) {
      if (!sent.called) {
        if (sent.context === undefined || sent.error === undefined) return;
        sent.called = true;
        callIn(sent.context, sent, sent.error);
      }
      this.#waiting.shift();
    }
  }
}

function callIn(context: AsyncResource, { callback }: Sent, error: Error | null): void {
  context.runInAsyncScope(process.nextTick, process, callback, error);
}
