/**
 * Holds the two things that only one primary of an app can have: the lock of its name in the state directory, and the
 * control socket. When another process replaces this primary, it gets both.
 *
 *   none ── take ──► held ── leave (the successor begins to accept) ──► left ── the successor has ended ──► held
 *
 * Owns     the lock and the ControlServer, until `close` or the end of this process
 * Used by  app_primary.ts
 * Uses     control/lock.ts, control/server.ts, upgrade/registry.ts (calls this when the primary is replaced)
 * Keeps    1. clients that are connected at `leave` are answered until `close`
 *          2. a primary that serves gets both in the end: it tries again each TAKE_AGAIN_MS until they are free
 */
import path from 'node:path';
import { registerPlace } from '../../upgrade/registry';
import { locksIn, takeLock, type Lock } from '../control/lock';
import { ControlServer, type Method } from '../control/server';

/** When a primary that serves tries again to take its place, in milliseconds. */
const TAKE_AGAIN_MS = 1_000;

/** Whose place it is. */
export interface PlaceOf {
  readonly name: string;
  /** The state directory. */
  readonly state: string;
  /** The path of the control socket. */
  readonly socket: string;
}

/** The place of one primary. */
export class AppPlace {
  readonly #of: PlaceOf;
  readonly #methods: Readonly<Record<string, Method>>;
  #lock: Lock | null = null;
  #server: ControlServer | null = null;
  /** One that was left, with clients that are still connected. */
  #former: ControlServer | null = null;
  readonly #complain: (error: unknown) => void;
  /** Does `keepTaking` try again? */
  #isWanted = false;
  #resolveLeft: () => void = () => undefined;
  /** Resolves when this process leaves the place to its successor. Each `take` makes another one, for the next successor. */
  #left = this.#newLeft();

  /** Nothing is taken before `take` or `keepTaking`. `complain` gets each error of `keepTaking`. */
  constructor(of: PlaceOf, methods: Readonly<Record<string, Method>>, complain: (error: unknown) => void) {
    this.#of = of;
    this.#methods = methods;
    this.#complain = complain;
    registerPlace({
      leave: (successor) => this.#leave(successor),
      takeAgain: () => this.keepTaking(null),
    });
  }

  /** Resolves when another primary serves in place of this one. */
  readonly left = (): Promise<void> => this.#left;

  /**
   * Takes the lock and the socket. Nothing is left behind if one of them cannot be had.
   *
   * @param replaces  the process that has left them just now; null: nobody has
   * @throws          ERR_ALREADY_RUNNING, and what ControlServer.listen throws
   */
  async take(replaces: number | null): Promise<void> {
    const { name, state, socket } = this.#of;
    const locks = locksIn(state);
    const lock = this.#lock = takeLock(path.join(state, 'apps', name), locks, replaces !== null);
    this.#server = new ControlServer({ kind: 'app', name, pid: process.pid, startedBy: 'daemon' }, this.#methods);
    this.#left = this.#newLeft();
    try {
      await this.#server.listen(socket, locks, replaces);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** The app serves: takes the place, and tries again if that fails. Until then no command reaches the app. */
  keepTaking(replaces: number | null): void {
    this.#isWanted = true;
    this.take(replaces).catch((error: unknown) => {
      this.#complain(error);
      setTimeout(() => { if (this.#isWanted) this.keepTaking(replaces); }, TAKE_AGAIN_MS);
    });
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    this.#isWanted = false;
    await Promise.all([this.#server?.close(), this.#former?.close()]);
    this.#lock?.release();
  }

  #leave(successor: number): void {
    this.#isWanted = false;
    const lock = this.#lock;
    this.#former = this.#server;
    this.#server = null;
    this.#lock = null;
    this.#resolveLeft();
    // Last: each of the two throws if the directory of the locks is gone or full. The successor has both when this process has ended.
    try {
      this.#former?.leave(successor);
    } finally {
      lock?.passTo(successor);
    }
  }

  #newLeft(): Promise<void> {
    return new Promise((resolve) => { this.#resolveLeft = resolve; });
  }
}
