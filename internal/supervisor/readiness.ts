/**
 * Decides when a worker that starts is ready. By default it is ready when it listens where its predecessor listens,
 * and not already at its first address: an app often opens its metrics port at once, and its main port only when the
 * database is connected.
 *
 *   'listening'   It listens at each address of its predecessor that all serving workers have in common, or at the
 *                 same number of addresses (one may have changed). Without a predecessor: at any address.
 *   'online'      Its process runs.
 *   'message'     Its app has sent the message 'ready'.
 *   { http }      As 'listening', and one of its http servers has answered a GET with 2xx. The agent in the worker
 *                 sends that request (worker/ready_check.ts).
 *
 * Used by  worker_process.ts (one for each worker), worker_starts.ts (`commonAddresses`), options.ts, wire.ts,
 *          worker/ready_check.ts (types)
 * Never    sees addresses at which a worker listens without its cluster (`exclusive: true`, for example)
 */

/** The HTTP check, with all defaults filled in. */
export interface HttpCheck {
  readonly path: string;
  /** If there are several http servers, the one that listens on this port is asked; null: each one is, and one answer is enough. */
  readonly port: number | null;
  /** Milliseconds from a failure to the next request. */
  readonly intervalMs: number;
  /** How many milliseconds an answer may take. */
  readonly timeoutMs: number;
}

/** The option `ready`, with all defaults filled in. */
export type ReadyRule = 'listening' | 'online' | 'message' | { readonly http: HttpCheck };

/** What one worker still has to do before it is ready. */
export class Readiness {
  readonly #rule: ReadyRule;
  readonly #expected: () => ReadonlySet<string>;
  #listens: ReadonlySet<string> = new Set();
  #hasListened = false;
  #isHealthy = false;
  #complaint = '';

  /** `expected` returns the addresses at which the worker has to listen; empty if there is no worker to compare it with. */
  constructor(rule: ReadyRule, expected: () => ReadonlySet<string>) {
    this.#rule = rule;
    this.#expected = expected;
  }

  /** The addresses at which the worker listens now. */
  get listens(): ReadonlySet<string> {
    return this.#listens;
  }

  // Each of the following events returns whether the worker is ready because of it.

  online(): boolean {
    return this.#rule === 'online';
  }

  messageReceived(message: unknown): boolean {
    return this.#rule === 'message' && message === 'ready';
  }

  /** The agent reported all addresses of the worker. The event `listening` follows. */
  addresses(all: readonly string[]): void {
    this.#listens = new Set(all);
  }

  /** The cluster reported that the worker listens at one more address. */
  listening(): boolean {
    this.#hasListened = true;
    return this.#isReady();
  }

  /** The HTTP check has a result: what is wrong, or null if nothing is. */
  checked(complaint: string | null): boolean {
    this.#complaint = complaint ?? '';
    this.#isHealthy = complaint === null;
    return this.#isReady();
  }

  /** The deadline of the start has come. If there is no worker to compare this one with, any address is enough. */
  deadline(): boolean {
    return this.#rule === 'listening' && this.#hasListened && this.#expected().size === 0;
  }

  /** What is missing, as text that is appended to an error message; '' if there is nothing to say. */
  get missing(): string {
    if (!this.#hasListened || this.#rule === 'online' || this.#rule === 'message') return '';
    const missing = this.#missingAddresses;
    if (!this.#isEnough(missing)) return `: it listens at ${list(this.#listens)}, and not at ${list(missing)} as its predecessor does`;
    return this.#complaint === '' ? '' : `: ${this.#complaint}`;
  }

  #isReady(): boolean {
    if (this.#rule === 'online' || this.#rule === 'message' || !this.#hasListened) return false;
    if (this.#rule !== 'listening' && !this.#isHealthy) return false;
    return this.#isEnough(this.#missingAddresses);
  }

  get #missingAddresses(): string[] {
    return [...this.#expected()].filter((address) => !this.#listens.has(address));
  }

  #isEnough(missing: readonly string[]): boolean {
    return missing.length === 0 || this.#listens.size >= this.#expected().size;
  }
}

/**
 * Returns the addresses at which a new worker has to listen: those of its predecessor that all serving workers have in
 * common. An address of a single worker is left out, because only one can have it (a leader's port, a port for each
 * worker id). Without a predecessor that serves: the addresses that all serving workers have in common.
 */
export function commonAddresses(predecessor: ReadonlySet<string> | null, serving: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const [first, ...others] = predecessor === null ? serving : [predecessor, ...serving];
  return new Set([...first ?? []].filter((address) => others.every((other) => other.has(address))));
}

const list = (addresses: Iterable<string>): string => [...addresses].join(', ') || 'no address of the cluster';
