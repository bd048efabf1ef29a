/**
 * Which worker gets the next connection. This file is the whole rule: `RoundRobinHandle` asks, and
 * does what it is told.
 *
 * The rule: the worker with the fewest hand-offs in flight; among equals the one that has waited
 * longest (rotation, in the order in which the workers listened). While every hand-off is
 * acknowledged before the next connection comes, that is Node's round robin. A worker that does not
 * answer keeps what it has in flight and gets more only when all others have as much.
 *
 * Owns     who listens on one address, and how many hand-offs each has in flight there
 * Keeps    1. nobody has more in flight than its window
 *          2. a worker is in the rotation exactly between `add` and `remove`
 * Node     the `free` queue of RoundRobinHandle: one hand-off in flight, first come first served
 */

/** How many connections may be in flight to a worker of ours. A stock worker gets one at a time. */
export const WINDOW = 16;

/** The place of a worker in the rotation, from `add` to `remove`. Listening again is a new seat. */
export interface Seat<Worker> {
  readonly worker: Worker;
  readonly window: number;
  inFlight: number;
  /** It can take no more, and will be removed. */
  retired: boolean;
}

/** The workers of one address, and whose turn it is. */
export class Rotation<Worker> {
  /** In the order in which they are offered a connection when all are equal. */
  readonly #seats: Seat<Worker>[] = [];

  get size(): number {
    return this.#seats.length;
  }

  has(worker: Worker): boolean {
    return this.#seats.some((seat) => seat.worker === worker);
  }

  /** Seats a worker at the end of the rotation; `window` is the most that it may have in flight. */
  add(worker: Worker, window: number): void {
    this.#seats.push({ worker, window, inFlight: 0, retired: false });
  }

  /** False if it was not seated. */
  remove(worker: Worker): boolean {
    const at = this.#seats.findIndex((seat) => seat.worker === worker);
    if (at === -1) return false;
    this.#seats.splice(at, 1);
    return true;
  }

  /** The seat for the next connection, which is counted as in flight to it; null while none may have one. */
  next(): Seat<Worker> | null {
    let best = -1;
    let fewest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.#seats.length; at++) {
      const { inFlight, window, retired } = this.#seats[at] as Seat<Worker>;
      if (!retired && inFlight < window && inFlight < fewest) {
        best = at;
        fewest = inFlight;
      }
    }
    if (best === -1) return null;
    const [seat] = this.#seats.splice(best, 1) as [Seat<Worker>];
    this.#seats.push(seat);
    seat.inFlight++;
    return seat;
  }
}
