/**
 * Leader election: whoever has the lock leads, and renews its lease as long as its event loop turns.
 * When it dies, leaves or hangs, the next in line leads.
 *
 * Owns     one place in the line for the lock, or the lease
 * States   candidate ── granted ──► leader ── lease lost ──► candidate;  either ── close ──► closed
 */
import { EventEmitter } from 'node:events';
import type { Lease } from './lease';
import type { StateError } from './values';

/** What an election needs of the shared state. */
export interface Campaign {
  lock(signal: AbortSignal): Promise<Lease>;
  /** Is the shared state of this process ended for good? */
  over(): boolean;
}

/**
 * Emits 'elected' with the lease, 'deposed' when it is lost otherwise than by `close`, and 'closed'
 * with the error, or nothing, at the end.
 */
export class Election extends EventEmitter {
  readonly #campaign: Campaign;
  readonly #closing = new AbortController();
  #lease: Lease | null = null;
  readonly #done: Promise<void>;

  constructor(campaign: Campaign) {
    super();
    this.#campaign = campaign;
    this.#done = this.#run();
  }

  /** Does this process lead, at this moment? */
  get isLeader(): boolean {
    return this.#lease?.held === true;
  }

  /** The leader's lease: its token, its signal; null in a candidate. */
  get lease(): Lease | null {
    return this.isLeader ? this.#lease : null;
  }

  /** Leads no more, and is no candidate; the next in line is elected. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    let error: StateError | undefined;
    const { signal } = this.#closing;
    while (!signal.aborted && error === undefined) {
      try {
        const lease = await this.#campaign.lock(signal);
        this.#lease = lease;
        this.#tell('elected', lease);
        await ended(lease.signal, signal);
        this.#lease = null;
        if (!signal.aborted) this.#tell('deposed');
        else await lease.release().catch(() => false); // Lost with the connection: free as well.
      } catch (reason) {
        // A primary that closed the shared state may open it again, and then there is an election.
        const again = (reason as StateError).maybeDone === true && !this.#campaign.over();
        if (!signal.aborted && !again) error = reason as StateError;
      }
    }
    this.#tell('closed', error);
  }

  /** In a tick of its own: what a listener throws is its own uncaught exception, not this election's. */
  #tell(event: string, ...args: unknown[]): void {
    process.nextTick(() => this.emit(event, ...args));
  }
}

/** Fulfilled when one of them is aborted. */
function ended(one: AbortSignal, other: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      one.removeEventListener('abort', done);
      other.removeEventListener('abort', done);
      resolve();
    };
    if (one.aborted || other.aborted) return resolve();
    one.addEventListener('abort', done);
    other.addEventListener('abort', done);
  });
}
