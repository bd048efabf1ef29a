/**
 * The trial of a canary: it starts, listens and is watched, and refuses each connection, so that no
 * client pays for a release that does not stay up. What a worker refuses, the primary hands to another.
 *
 * Owns     `maxConnections` of the servers that listen while the trial lasts; the app's value comes back
 * Used by  agent.ts
 * Never    refuses where the primary does not accept (SCHED_NONE): there a connection that is refused is
 *          closed, so there the canary serves
 * Node     a worker with as many connections as `maxConnections` refuses the next one. No server has
 *          less than -1; 0 is no limit on Node 20
 */

import { apart } from '../app_calls';

/** A server, as far as it matters. */
interface Limited {
  maxConnections?: number | undefined;
}

const NONE = -1;

/** From the start of the process until `end`. */
export class Trial {
  readonly #limits = new Map<Limited, number | undefined>();
  #on: boolean;

  constructor(on: boolean) {
    this.#on = on;
  }

  /** A server got its handle. One that the kernel gives connections to has an fd. */
  listens(server: Limited, handle: object | null): void {
    if (!this.#on || handle === null || 'fd' in handle) return;
    this.#limits.set(server, server.maxConnections);
    server.maxConnections = NONE;
  }

  end(): void {
    this.#on = false;
    for (const [server, limit] of this.#limits) {
      // The app may have put an accessor there.
      apart(() => { if (server.maxConnections === NONE) server.maxConnections = limit; });
    }
    this.#limits.clear();
  }
}
