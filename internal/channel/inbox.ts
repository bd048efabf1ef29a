/**
 * What a channel has received and not told yet. All of a read have one tick, so that an app sees the
 * messages of a read one after the other, and what it does in between in its own order.
 *
 * Owns     messages and handles between the read that brought them and the tick that tells them
 * Used by  channel.ts
 * Never    loses what stands behind a listener that throws: it has a tick of its own
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

  constructor(tell: (message: unknown, handle: SendHandle | undefined) => void) {
    this.#tell = tell;
  }

  get length(): number {
    return this.#received.length;
  }

  /** A message, or a step to take in its turn (no message is a function). */
  push(item: unknown, handle?: SendHandle): void {
    this.#received.push({ item, handle });
    if (this.#received.length === 1) process.nextTick(this.#drain);
  }

  /** All that has come by now, in one tick. Behind a listener that throws the rest has a tick of its own. */
  readonly #drain = (): void => {
    const received = this.#received;
    let at = 0;
    try {
      while (at < received.length) {
        const { item, handle } = received[at++] as Received;
        if (typeof item === 'function') (item as () => void)();
        else this.#tell(item, handle);
      }
    } finally {
      if (at === received.length) {
        received.length = 0;
      } else {
        received.splice(0, at);
        process.nextTick(this.#drain);
      }
    }
  };
}
