/**
 * Leader election: whoever has the lock leads, and renews its lease as long as its event loop turns.
 * When it dies, leaves or hangs, the next in line leads.
 *
 * Owns     one place in the line for the lock, or the lease
 * States   candidate ── granted ──► leader ── lease lost ──► candidate;  either ── close ──► closed
 *          candidate ── a limit is reached ──► postponed ── back-off ──► candidate
 * Never    ends by itself while it could go on: a limit that others use up passes. What ends it all
 *          the same (the shared state is over, a name that is too long) comes with 'closed'
 * Never    does so without a word: what nobody listens to becomes a warning of the process
 */
import { EventEmitter } from 'node:events';
import type { Lease } from './lock';
import type { Limits } from '../protocol';
import { isAborted, onAbort } from './abort_signals';
import type { StateError } from '../values';

/** What an election needs of the shared state. */
export interface Campaign {
  readonly name: string;
  lock(signal: AbortSignal): Promise<Lease>;
  /** Is the shared state of this process ended for good? */
  over(): boolean;
  /** Waits so many milliseconds; less if the signal is aborted or the connection is lost. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

/** Limits that others, or earlier calls, use up, and give back. */
const PASSING: readonly (keyof Limits | undefined)[] = ['locks', 'locksPerProcess', 'pendingCalls', 'unreadBytes'];

/** Back-off of a postponed election in milliseconds: it doubles from the first to the last. */
const FIRST_PAUSE = 100;
const LAST_PAUSE = 5000;

/**
 * Emits 'elected' with the lease, 'deposed' when it is lost otherwise than by `close`, 'postponed' with
 * the error and the milliseconds after which it is tried again, and 'closed' with the error, or
 * nothing, at the end. What a listener throws is an uncaught exception, and the election goes on.
 */
export class Election extends EventEmitter {
  readonly #campaign: Campaign;
  readonly #closing = new AbortController();
  #lease: Lease | null = null;
  readonly #done: Promise<void>;
  /** The last warning: each is emitted once. */
  #warned = '';

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
    let pause = FIRST_PAUSE;
    const { signal } = this.#closing;
    while (!signal.aborted && error === undefined) {
      try {
        const lease = await this.#campaign.lock(signal);
        pause = FIRST_PAUSE;
        await this.#lead(lease);
      } catch (reason) {
        if (signal.aborted) break;
        const failure = reason as StateError;
        if (failure.code === 'ERR_SHARED_STATE_LIMIT' && PASSING.includes(failure.limit)) {
          this.#tell('postponed', failure, pause);
          await this.#campaign.pause(pause, signal);
          pause = Math.min(2 * pause, LAST_PAUSE);
        } else if (failure.maybeDone !== true || this.#campaign.over()) {
          error = failure;
        }
        // Else a primary closed the shared state; it may open it again, and then there is an election.
      }
    }
    this.#tell('closed', error);
  }

  async #lead(lease: Lease): Promise<void> {
    this.#lease = lease;
    let told = false;
    process.nextTick(() => {
      // Lost before anybody could be told: by a channel that ended behind the grant, mostly.
      if (!lease.held) return;
      told = true;
      if (!this.emit('elected', lease)) this.#warn('elected', lease);
    });
    await eitherAborted(lease.signal, this.#closing.signal);
    this.#lease = null;
    if (!this.#closing.signal.aborted) process.nextTick(() => void (told && this.emit('deposed')));
    else await lease.release().catch(() => false); // Lost with the connection: free as well.
  }

  /** In a tick of its own: what a listener throws is its own uncaught exception, not this election's. */
  #tell(event: 'postponed' | 'closed', ...args: unknown[]): void {
    process.nextTick(() => {
      if (!this.emit(event, ...args)) this.#warn(event, args[0]);
    });
  }

  /** Nobody listened. The end of the shared state itself is no news to its process. */
  #warn(event: string, failure: unknown): void {
    if (!(failure instanceof Error) || this.#campaign.over()) return;
    const now = event === 'postponed' ? 'is postponed' : 'has ended';
    if (this.#warned === now) return;
    this.#warned = now;
    process.emitWarning(`The election of '${this.#campaign.name.slice(0, 80)}' ${now}: ${failure.message}`, { code: 'SHARED_STATE_ELECTION' });
  }
}

/** Fulfilled when one of them is aborted. */
function eitherAborted(one: AbortSignal, other: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (isAborted(one) || isAborted(other)) return resolve();
    const stop = [one, other].map((signal) => onAbort(signal, () => {
      for (const each of stop) each();
      resolve();
    }));
  });
}
