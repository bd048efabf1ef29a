/**
 * What only one primary of an app can have: the lock of its name in the state directory, and the control socket. When
 * another process replaces this primary, it gets both.
 *
 *   none ── take ──► held ── leave (the successor begins to accept) ──► left ── the successor has ended ──► held
 *
 * Owns     the lock and the ControlServer, until `close` or the end of this process
 * Used by  app_primary.ts
 * Uses     control/lock.ts, control/server.ts, upgrade/registry.ts (calls this when the primary is replaced)
 * Keeps    clients that are connected at `leave` are answered until `close`
 */
import path from 'node:path';
import { registerPlace } from '../../upgrade/registry';
import { locksIn, takeLock, type Lock } from '../control/lock';
import { ControlServer, type Method } from '../control/server';

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
  #resolveLeft: () => void = () => undefined;
  /** Resolves when the successor has the place, from then on or again. */
  #left = this.#newLeft();

  /** Nothing is taken before `take`. `complain` gets the error if the place cannot be taken again. */
  constructor(of: PlaceOf, methods: Readonly<Record<string, Method>>, complain: (error: unknown) => void) {
    this.#of = of;
    this.#methods = methods;
    registerPlace({
      leave: () => this.#leave(),
      takeAgain: () => void this.take(null).catch(complain),
    });
  }

  /** Resolves when another primary serves in place of this one. */
  readonly left = (): Promise<void> => this.#left;

  /**
   * Takes the lock and the socket.
   *
   * @param replaces  the process that has left them just now; null: nobody has
   * @throws          ERR_ALREADY_RUNNING, and what ControlServer.listen throws
   */
  async take(replaces: number | null): Promise<void> {
    const { name, state, socket } = this.#of;
    const locks = locksIn(state);
    this.#lock = takeLock(path.join(state, 'apps', name), locks);
    this.#server = new ControlServer({ kind: 'app', name, pid: process.pid, startedBy: 'daemon' }, this.#methods);
    this.#left = this.#newLeft();
    await this.#server.listen(socket, locks, replaces);
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    await Promise.all([this.#server?.close(), this.#former?.close()]);
    this.#lock?.release();
  }

  #leave(): void {
    this.#server?.leave();
    this.#lock?.release();
    this.#former = this.#server;
    this.#server = null;
    this.#lock = null;
    this.#resolveLeft();
  }

  #newLeft(): Promise<void> {
    return new Promise((resolve) => { this.#resolveLeft = resolve; });
  }
}
