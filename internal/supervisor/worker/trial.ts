/**
 * The trial of a canary: it starts, listens and is watched, but rejects each connection, so that no client gets an
 * answer from a release that may not work. The primary hands a rejected connection to another worker.
 *
 * Owns     `maxConnections` of the servers that listen during the trial. The app's value is put back at the end
 * Used by  agent.ts
 * Never    rejects connections that the kernel gave to the worker (SCHED_NONE, `scheduling: 'shared'`): nobody could hand
 *          them to another worker. There the canary serves from the start
 * Node     a worker with `maxConnections` open connections rejects the next one (clause R-10 of test/differential/SPEC.md). With -1 each server has too
 *          many; 0 means no limit on Node 20
 */
import { callApp } from '../app_calls';

/** The part of a server that matters here. */
interface Limited {
  maxConnections?: number | undefined;
}

const NO_CONNECTIONS = -1;

/** A trial, from the start of the process until `end`. */
export class CanaryTrial {
  readonly #limits = new Map<Limited, number | undefined>();
  #isOn: boolean;

  /** `isOn`: false for a worker that is no canary. */
  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  /** A server begins to listen with this handle. A handle with an fd gets its connections from the kernel. */
  listens(server: Limited, handle: object | null): void {
    if (!this.#isOn || handle === null || 'fd' in handle) return;
    this.#limits.set(server, server.maxConnections);
    server.maxConnections = NO_CONNECTIONS;
  }

  /** The canary takes connections from now on. */
  end(): void {
    this.#isOn = false;
    for (const [server, limit] of this.#limits) {
      // The app may have replaced the property by an accessor that throws, or have set another limit meanwhile.
      callApp(() => { if (server.maxConnections === NO_CONNECTIONS) server.maxConnections = limit; });
    }
    this.#limits.clear();
  }
}
