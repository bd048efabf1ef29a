/**
 * Counts the requests to stop that signals bring. One Ctrl-C often arrives twice: under `npm start` the
 * terminal sends SIGINT to the whole process group, and npm forwards its own a few milliseconds later.
 * `docker stop` behind a shell and service managers do the same with SIGTERM.
 *
 * Rule     SIGINT and SIGTERM ask for the same. The first begins a graceful end. Whatever comes within
 *          SAME_MS of the first is that same request. One that comes later asks for the end at once.
 * Used by  supervisor.ts for the primary, lib/graceful.ts for a process without a supervisor
 * Never    reads a clock: the time is passed in
 */

/** How long after the first signal further ones are still the same request, in milliseconds: a person needs longer. */
export const SAME_MS = 1_000;

/** What a signal asks for. */
export type StopRequest = 'begin' | 'same' | 'now';

/** The requests that one process got. */
export class StopRequests {
  #first: number | null = null;

  /** A signal came at `now`, in milliseconds of a clock that does not jump. */
  next(now: number): StopRequest {
    if (this.#first === null) {
      this.#first = now;
      return 'begin';
    }
    return now - this.#first < SAME_MS ? 'same' : 'now';
  }

  /** The process serves again: the next signal is a first one. */
  forget(): void {
    this.#first = null;
  }
}
