/**
 * What a channel has received and not told yet. All of a read have one tick. Only where a process
 * survives exceptions each message has its own, as in Node: what a listener puts off before it throws
 * then comes after the messages behind it.
 *
 * Owns     messages and handles between the read that brought them and the tick that tells them
 * Used by  channel.ts
 * Never    loses what stands behind a listener that throws
 * Keeps    while something was received and not told, a tick is to come
 */
import type { SendHandle } from './handles';

/** What came: a message and its handle, or a step. */
interface Received {
  readonly item: unknown;
  readonly handle: SendHandle | undefined;
}

/** Messages in the order in which they came. */
export class Inbox {
  readonly #tell: (message: unknown, handle: SendHandle | undefined) => void;
  readonly #received: Received[] = [];
  /** Ticks to come. */
  #ticks = 0;

  constructor(tell: (message: unknown, handle: SendHandle | undefined) => void) {
    this.#tell = tell;
  }

  get length(): number {
    return this.#received.length;
  }

  /** A message, or a step to take in its turn (no message is a function). */
  push(item: unknown, handle?: SendHandle): void {
    this.#received.push({ item, handle });
    this.#awaitTicks(1);
  }

  #awaitTicks(count: number): void {
    for (; this.#ticks < count; this.#ticks++) process.nextTick(this.#drain);
  }

  readonly #drain = (): void => {
    const received = this.#received;
    this.#ticks--;
    const together = received.length < 2 || !exceptionsAreCaught();
    // Before a listener runs, so that the rest comes before what a listener puts off.
    if (!together) this.#awaitTicks(received.length - 1);
    let at = 0;
    try {
      while (at < received.length && (together || at === 0)) {
        const { item, handle } = received[at++] as Received;
        if (typeof item === 'function') (item as () => void)();
        else this.#tell(item, handle);
      }
    } finally {
      if (at === received.length) received.length = 0;
      else received.splice(0, at);
      if (received.length > 0) this.#awaitTicks(1);
    }
  };
}

/** Does the process go on after a listener has thrown? */
const exceptionsAreCaught = (): boolean =>
  process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();
