/**
 * Leader election. Each candidate waits for the same lock, and its holder is the leader. The leader renews its lease
 * as long as its event loop runs; when it ends, closes or hangs, the next candidate gets the lock.
 *
 * Owns     the waiting 'lock' call, or the lease
 * States   candidate ── granted ──► leader ── lease lost ──► candidate;  either ── close ──► closed
 *          candidate ── refused by a limit, or the store has failed ──► postponed ── back-off ──► candidate
 * Never    ends while it could go on: a limit that others have used up may be free later, and a store may answer again. It ends with 'closed' if
 *          the shared state ends in this process, or for an error that will not pass (a name that is too long)
 * Never    is postponed or ends silently: without a listener the process emits a warning
 */
import { EventEmitter } from 'node:events';
import type { Lease } from './lock';
import type { Limits } from '../protocol';
import { isAborted, onAbort } from './abort_signals';
import type { StateError } from '../values';

/** What an election needs from the shared state. */
export interface Campaign {
  readonly name: string;
  lock(signal: AbortSignal): Promise<Lease>;
  /** Has the shared state ended for good in this process? */
  over(): boolean;
  /** Waits so many milliseconds, or until the signal is aborted or the connection is lost. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

/** Limits that can be free again later, because other calls give back what they have used. */
const PASSING: readonly (keyof Limits | undefined)[] = ['locks', 'locksPerProcess', 'pendingCalls', 'unreadBytes'];

/** Would the same call be done later? */
const willPass = ({ code, limit }: StateError): boolean =>
  code === 'ERR_SHARED_STATE_LIMIT' ? PASSING.includes(limit) : code === 'ERR_SHARED_STATE_STORE' || code === 'ERR_SHARED_STATE_LOST';

/** Milliseconds before a postponed election tries again: 100 ms, doubled each time up to 5 s, so that many candidates do not keep the primary busy. */
const FIRST_PAUSE = 100;
const LAST_PAUSE = 5000;

/**
 * A candidate for a leader; `elect` returns it. Events:
 *
 *   'elected' (lease)          this process leads now
 *   'deposed'                  it leads no more, because the lease was lost; not emitted for `close()`
 *   'postponed' (error, ms)    a limit has refused the candidate, or the store has failed; it tries again after `ms` milliseconds
 *   'closed' (error?)          the end, by `close()` or by an error
 *
 * An exception of a listener is an uncaught exception, and the election goes on.
 */
export class Election extends EventEmitter {
  readonly #campaign: Campaign;
  readonly #closing = new AbortController();
  #lease: Lease | null = null;
  readonly #done: Promise<void>;
  /** The latest warning. The same one is not emitted twice in a row. */
  #warned = '';

  constructor(campaign: Campaign) {
    super();
    this.#campaign = campaign;
    this.#done = this.#run();
  }

  /** Does this process lead at this moment? */
  get isLeader(): boolean {
    return this.#lease?.held === true;
  }

  /** The lease while this process leads, with its token and its signal; else null. */
  get lease(): Lease | null {
    return this.isLeader ? this.#lease : null;
  }

  /** Gives up the lead or the candidacy. Resolves when this is done; the next candidate is elected. */
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
        if (willPass(failure) && !this.#campaign.over()) {
          this.#emitSoon('postponed', failure, pause);
          await this.#campaign.pause(pause, signal);
          pause = Math.min(2 * pause, LAST_PAUSE);
        } else if (failure.maybeDone !== true || this.#campaign.over()) {
          error = failure;
        }
        // Otherwise the primary has closed the shared state. If it opens it again, the next `lock` call takes part.
      }
    }
    this.#emitSoon('closed', error);
  }

  async #lead(lease: Lease): Promise<void> {
    this.#lease = lease;
    let isEmitted = false;
    process.nextTick(() => {
      // The lease may be lost already, for example if the channel has ended right after the grant.
      if (!lease.held) return;
      isEmitted = true;
      if (!this.emit('elected', lease)) this.#warn('elected', lease);
    });
    await eitherAborted(lease.signal, this.#closing.signal);
    this.#lease = null;
    if (!this.#closing.signal.aborted) process.nextTick(() => void (isEmitted && this.emit('deposed')));
    else await lease.release().catch(() => false); // It fails if the connection is lost: then the primary has freed the lock.
  }

  /** Emits in the next tick, so that an exception of a listener does not end the election. */
  #emitSoon(event: 'postponed' | 'closed', ...args: unknown[]): void {
    process.nextTick(() => {
      if (!this.emit(event, ...args)) this.#warn(event, args[0]);
    });
  }

  /** Emits a warning in place of an event that has no listener. Not for the end of the shared state: its process knows of that. */
  #warn(event: string, failure: unknown): void {
    if (!(failure instanceof Error) || this.#campaign.over()) return;
    const now = event === 'postponed' ? 'is postponed' : 'has ended';
    if (this.#warned === now) return;
    this.#warned = now;
    process.emitWarning(`The election of '${this.#campaign.name.slice(0, 80)}' ${now}: ${failure.message}`, { code: 'SHARED_STATE_ELECTION' });
  }
}

/** Resolves when one of the two is aborted. */
function eitherAborted(one: AbortSignal, other: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (isAborted(one) || isAborted(other)) return resolve();
    const stop = [one, other].map((signal) => onAbort(signal, () => {
      for (const each of stop) each();
      resolve();
    }));
  });
}
