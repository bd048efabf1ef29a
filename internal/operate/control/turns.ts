/**
 * Decides which client may begin a request next. One request begins in each turn of the event loop, and the clients take
 * it in turns. So the process goes on with its own work between two of them, and a client with few requests does not wait
 * for all those of a client with many.
 *
 *   100 clients send 64 requests each: A1 │ B1 │ C1 │ … │ A2 │ B2 │ …      │ is a turn of the event loop
 *
 * Owns     the queue, and one immediate while a request has begun in this turn, or somebody waits
 * Used by  server.ts (one for each server), connection.ts
 * Keeps    1. a request that comes when nobody waits, and none has begun in this turn, begins at once
 *          2. a client is in the queue at most once, so memory does not grow with the requests
 */
import { timers } from '../../builtins';

/** Somebody who has requests that wait. */
export interface Beginner {
  /** Begins one request, or none if that cannot be now. Returns true if it wants to begin another one. Must not throw. */
  begin(): boolean;
}

/** The queue of one server. */
export class Turns {
  /** In their order. */
  readonly #waiting = new Set<Beginner>();
  /** Has a request begun in this turn? */
  #isTaken = false;

  /** `beginner` wants to begin a request: now, or when it is its turn. */
  add(beginner: Beginner): void {
    this.#waiting.add(beginner);
    if (!this.#isTaken) this.#next();
  }

  #next(): void {
    const [beginner] = this.#waiting;
    this.#isTaken = beginner !== undefined;
    if (beginner === undefined) return;
    timers.setImmediate(() => this.#next());
    this.#waiting.delete(beginner);
    if (beginner.begin()) this.#waiting.add(beginner);
  }
}
