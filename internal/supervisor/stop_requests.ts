/**
 * Decides what a SIGINT or SIGTERM asks for. One Ctrl-C often arrives twice: under `npm start` the terminal sends
 * SIGINT to the whole process group, and npm forwards its own SIGINT a few milliseconds later. `docker stop` with a
 * shell as its first process, and service managers, do the same with SIGTERM.
 *
 * Rule     SIGINT and SIGTERM mean the same. The first one begins a graceful end. Those within SAME_MS after it are the
 *          same request. A later one asks to end at once.
 * Used by  signal_commands.ts for the primary, lib/graceful.ts for a process without a supervisor, worker/agent.ts (SAME_MS)
 * Never    reads a clock: the time is an argument
 */

/**
 * How long after the first signal another one is still the same request, in milliseconds. Copies of a signal come
 * within a few milliseconds; a person who presses Ctrl-C again, because nothing seems to happen, takes longer.
 */
export const SAME_MS = 1_000;

/** What a signal asks for. `same`: nothing new. */
export type StopRequest = 'begin' | 'same' | 'now';

/** The stop requests of one process. */
export class StopRequests {
  #firstAt: number | null = null;

  /** A signal came at `now`, in milliseconds of a clock that does not jump. Returns what it asks for. */
  next(now: number): StopRequest {
    if (this.#firstAt === null) {
      this.#firstAt = now;
      return 'begin';
    }
    return now - this.#firstAt < SAME_MS ? 'same' : 'now';
  }

  /** The process serves again: the next signal is a first one. */
  forget(): void {
    this.#firstAt = null;
  }
}
