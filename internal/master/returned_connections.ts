/**
 * The connections of one address that a worker has given back, until another worker has them. For the primary they are
 * connections like any other, with one difference: they should not go back to the worker that gave them.
 *
 * Owns     the table of the givers; the timer after which a giver may get its connection back. hand_off_queue.ts
 *          owns the connections
 * Used by  hand_off_queue.ts
 * Keeps    1. an entry exactly as long as its connection is queued or in flight
 *          2. only workers that have listened here may give connections back
 *          3. a returned connection never waits longer than PATIENCE_MS + BACK_MS for other workers that do not answer, while
 *             its giver has room (see `next` in scheduler.ts)
 * Node     no connection ever comes back (D58)
 */
import { Map, timers } from '../builtins';
import type { NativeHandle } from '../native/bindings';
import type { Peer } from './peer';

/** Milliseconds between two looks whether a giver may get its connection back (PATIENCE_MS in scheduling.ts). */
export const BACK_MS = 15;

/** The returned connections of one address. */
export class ReturnedConnections {
  readonly #givers = new Map<NativeHandle, Peer | null>();
  /** Every worker that has listened here, also those that have stopped: their connections may come back. */
  readonly #served = new WeakSet<Peer>();
  readonly #again: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `again` is called when returned connections have waited for BACK_MS. */
  constructor(again: () => void) {
    this.#again = again;
  }

  /** The worker listens here. */
  listens(peer: Peer): void {
    this.#served.add(peer);
  }

  /** May this worker give connections back? */
  mayGive(peer: Peer): boolean {
    return this.#served.has(peer);
  }

  /** `giver`: null for a worker of another primary (upgrade/). */
  add(connection: NativeHandle, giver: Peer | null): void {
    this.#givers.set(connection, giver);
  }

  /** Had a worker this connection before? */
  has(connection: NativeHandle): boolean {
    return this.#givers.size > 0 && this.#givers.has(connection);
  }

  /** The worker that gave this connection back; null for one that was accepted here, or that a worker of another primary had. */
  giverOf(connection: NativeHandle): Peer | null {
    return this.#givers.size === 0 ? null : this.#givers.get(connection) ?? null;
  }

  /** A worker has this connection, or it was closed. */
  forget(connection: NativeHandle): void {
    if (this.#givers.size > 0) this.#givers.delete(connection);
  }

  /** The first connection of the queue was returned, and waits for another worker. */
  waits(): void {
    this.#timer ??= timers.setTimeout(() => {
      this.#timer = undefined;
      this.#again();
    }, BACK_MS);
  }

  close(): void {
    timers.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
