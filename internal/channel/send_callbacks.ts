/**
 * The callbacks that an app passes to `send`. Each is called in a tick of its own, in the async context of its own send
 * (AsyncLocalStorage, async_hooks), and in the order of the sends. If a message is written while the write of an earlier
 * one is pending, its callback waits for the earlier one. A message that is refused, and never written, waits for
 * nothing: its callback gets the error at once, as in Node.
 *
 * Owns     the callbacks that have not been called
 * Used by  outbox.ts, which adds callbacks and reports how their writes ended; channel.ts and attach_channel.ts, for types
 * Never    calls a callback inside `send` or inside the end of a write: a callback that throws stops nothing else
 * Keeps    1. each callback is called once, in the order in which it was added
 *          2. `add` schedules the callback's tick at once. So the callback of a message that is written at once is
 *             called as early as in Node, in the right async context, and without further cost
 *          3. only if the tick comes before the end of the write, or behind a callback that waits, is an AsyncResource
 *             made to keep the context. It has the type that Node's own write has there
 */
import type { AsyncResource } from 'node:async_hooks';
import { timers } from '../builtins';
import { Fifo } from '../fifo';

/** Called when a message was written (null), or could not be written. */
export type SendCallback = (error: Error | null) => void;

/** A callback of the app, from `add` until it is called. */
export interface PendingCallback {
  readonly callback: SendCallback;
  /** How the write ended; undefined while it has not ended. */
  error: Error | null | undefined;
  /** The callback was called, or a tick that calls it is scheduled. Then no later callback waits for it. */
  called: boolean;
  /** The async context of the send. It is kept here when the callback's own tick came too early. */
  context: AsyncResource | undefined;
}

/** The callbacks of one channel. */
export class SendCallbacks {
  readonly #waiting = new Fifo<PendingCallback>();
  readonly #flush: () => void;

  /** `flush` writes the joined frames: the tick of a callback ends the turn in which they were joined. */
  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /** Adds the callback of a message that is being sent now, in the current async context. */
  add(callback: SendCallback): PendingCallback {
    const pending: PendingCallback = { callback, error: undefined, called: false, context: undefined };
    this.#waiting.push(pending);
    timers.nextTick(this.#tick, pending);
    return pending;
  }

  /** The write has ended. */
  complete(pending: PendingCallback, error: Error | null): void {
    pending.error = error;
    this.#scheduleWaiting();
  }

  /** The message will not be written. */
  refuse(pending: PendingCallback, error: Error): void {
    pending.error = error;
    pending.called = true;
    if (pending.context !== undefined) schedule(pending.context, pending, error);
    this.#scheduleWaiting();
  }

  /** The tick of one callback. */
  readonly #tick = (pending: PendingCallback): void => {
    if (pending.error === undefined) this.#flush();
    const { error } = pending;
    if (!pending.called && (error === undefined || this.#waiting.first !== pending)) {
      const { AsyncResource } = require('node:async_hooks') as typeof import('node:async_hooks');
      pending.context = new AsyncResource('WRITEWRAP');
      return;
    }
    pending.called = true;
    this.#scheduleWaiting(); // Before this callback, which may throw.
    pending.callback(error as Error | null);
  };

  /** Schedules the callbacks at the head of the queue whose own tick is over and whose write has ended. */
  #scheduleWaiting(): void {
    for (let pending = this.#waiting.first; pending !== undefined; pending = this.#waiting.first) {
      if (!pending.called) {
        if (pending.context === undefined || pending.error === undefined) return;
        pending.called = true;
        schedule(pending.context, pending, pending.error);
      }
      this.#waiting.shift();
    }
  }
}

/** Schedules a callback in the async context of its send. */
function schedule(context: AsyncResource, { callback }: PendingCallback, error: Error | null): void {
  context.runInAsyncScope(timers.nextTick, undefined, callback, error);
}
