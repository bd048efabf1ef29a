/**
 * When a starting worker is ready. By default it is when it listens where its predecessor does: an app
 * often listens on a port for metrics at once, and on its own when the database is there.
 *
 *   'listening'   it listens at each address of its predecessor that all who serve have in common, or at
 *                 as many (an address may have moved). Without a predecessor: at its first address
 *   'online'      its process runs
 *   'message'     its app has sent the message 'ready'
 *   { http }      as 'listening', and a GET to one of its http servers was answered with 2xx: its part in
 *                 the worker asks (worker/ready_check.ts)
 *
 * Used by  worker_process.ts, one for each worker; supervisor.ts (whose addresses count)
 * Never    looks at what a worker listens on by itself, beside the cluster: nobody is told of that
 */

/** The HTTP check, with all defaults. */
export interface HttpCheck {
  readonly path: string;
  /** Of several http servers the one that listens on this port; null: any of them. */
  readonly port: number | null;
  /** How long after a failure the next question comes. */
  readonly intervalMs: number;
  /** How long an answer may take. */
  readonly timeoutMs: number;
}

/** The rule. */
export type ReadyRule = 'listening' | 'online' | 'message' | { readonly http: HttpCheck };

/** What a worker has to do before it is ready. */
export class Readiness {
  readonly #rule: ReadyRule;
  readonly #expected: () => ReadonlySet<string>;
  #listens: ReadonlySet<string> = new Set();
  #listened = false;
  #healthy = false;
  #complaint = '';

  /** `expected` says where those listen whom it is to be like; empty: there is nobody. */
  constructor(rule: ReadyRule, expected: () => ReadonlySet<string>) {
    this.#rule = rule;
    this.#expected = expected;
  }

  /** Where it listens now. */
  get listens(): ReadonlySet<string> {
    return this.#listens;
  }

  // Each of these says whether the worker is ready by it.

  online(): boolean {
    return this.#rule === 'online';
  }

  said(message: unknown): boolean {
    return this.#rule === 'message' && message === 'ready';
  }

  /** It has told where it listens, all of it. */
  addresses(all: readonly string[]): void {
    this.#listens = new Set(all);
  }

  /** The cluster says that it listens somewhere: after `addresses`. */
  listening(): boolean {
    this.#listened = true;
    return this.#isThere();
  }

  /** The HTTP check: what is wrong, or that nothing is. */
  checked(complaint: string | null): boolean {
    this.#complaint = complaint ?? '';
    this.#healthy = complaint === null;
    return this.#isThere();
  }

  /** Its time is up. Without anybody to be like, it is enough to listen somewhere. */
  late(): boolean {
    return this.#rule === 'listening' && this.#listened && this.#expected().size === 0;
  }

  /** What is missing, for people to read; empty if there is nothing to say. */
  get missing(): string {
    if (!this.#listened || this.#rule === 'online' || this.#rule === 'message') return '';
    const missing = [...this.#expected()].filter((address) => !this.#listens.has(address));
    if (!this.#isEnough(missing.length)) return `: it listens at ${list(this.#listens)}, and not at ${list(missing)} as its predecessor does`;
    return this.#complaint === '' ? '' : `: ${this.#complaint}`;
  }

  #isThere(): boolean {
    if (this.#rule === 'online' || this.#rule === 'message' || !this.#listened) return false;
    if (this.#rule !== 'listening' && !this.#healthy) return false;
    return this.#isEnough([...this.#expected()].filter((address) => !this.#listens.has(address)).length);
  }

  #isEnough(missing: number): boolean {
    return missing === 0 || this.#listens.size >= this.#expected().size;
  }
}

/**
 * Whom a new worker is to be like: its predecessor, as far as all who serve agree, since one of them may
 * listen where nobody else does (a leader, a port by number of the worker). Without a predecessor that
 * serves: all who serve.
 */
export function commonAddresses(predecessor: ReadonlySet<string> | null, serving: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const [first, ...others] = predecessor === null ? serving : [predecessor, ...serving];
  return new Set([...first ?? []].filter((address) => others.every((other) => other.has(address))));
}

const list = (addresses: Iterable<string>): string => [...addresses].join(', ') || 'no address of the cluster';
