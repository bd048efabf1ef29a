/**
 * A held lock, as its holder sees it: the class Lease.
 *
 * The primary decides who holds a lock. It has granted the lease until a certain time, and both processes read the
 * same clock, so this side knows that time without asking. While a renewal is not answered, nobody here knows
 * whether the end has moved, so the earlier of the old and the new end counts. If that end passes before the answer
 * comes (this event loop was blocked, or the primary is busy), the lease is lost here for good. The primary may have
 * renewed it all the same, so it is asked to free the lock: otherwise the lock would be held and have no user.
 *
 * Owns     a timer for the end of the lease and one for its renewal; both are cleared when it is lost
 * States   held ── release ──► lost
 *          held ── its end passes ──► lost; the primary is asked to free the lock if a renewal is not answered
 *          held ── the connection is lost, or the primary refuses a renewal ──► lost; the primary has freed the lock
 * Keeps    1. a lease that is lost is never held again, whatever answers come later
 *          2. `held` is true only while the primary has the lock for this token, and so never while another process
 *             could have it
 *          3. `release` asks the primary, unless the connection of the lease is lost
 *          4. `signal` is aborted last, because its listeners are code of the app and may do anything
 */
import type { StateClient } from './client';
import type { Fence } from '../protocol';
import { checkTtl, stateError, type StateError } from '../values';

/** The right to hold a lock until a moment in time; `lock` returns it. */
export class Lease {
  /** Of the lock. */
  readonly name: string;
  /** Greater than the token of each earlier lease. A database that stores the greatest token it has seen can refuse a writer whose lease was lost. */
  readonly token: number;
  readonly #client: StateClient;
  readonly #connection: number;
  readonly #ttlMs: number;
  readonly #autoRenew: boolean;
  readonly #end = new AbortController();
  readonly #forget: () => void;
  /** The end that the primary has granted in its latest answer. Times are those of the client's clock. */
  #granted: number;
  /** Renewals without an answer. If the primary has done one, the lease ends at `at` or later. */
  readonly #asked = new Set<{ readonly at: number }>();
  #cancelEnd: () => void = () => undefined;
  #cancelRenewal: () => void = () => undefined;

  /** Made while the grant is handled, so it belongs to the connection on which the grant came. */
  constructor(client: StateClient, { name, token }: Fence, expiresAt: number, ttlMs: number, autoRenew: boolean) {
    this.#client = client;
    this.#connection = client.connection;
    this.name = name;
    this.token = token;
    this.#granted = expiresAt;
    this.#ttlMs = ttlMs;
    this.#autoRenew = autoRenew;
    this.#forget = client.onLost(() => this.#lose());
    this.#setTimers();
  }

  /** Aborted when the lease is lost or released: pass it to what must stop then. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Is the lock held at this moment? */
  get held(): boolean {
    return !this.#end.signal.aborted && this.#connected && this.#client.clock.now() < this.#expiresAt;
  }

  /** Milliseconds until the lease ends if it is not renewed; 0 if it is not held. */
  get leftMs(): number {
    return this.held ? this.#expiresAt - this.#client.clock.now() : 0;
  }

  /** @throws  ERR_SHARED_STATE_LEASE_LOST unless the lock is held at this moment */
  assertHeld(): void {
    if (this.held) return;
    this.#lapse(); // The end may have passed while the event loop was blocked: then the timer has not fired yet.
    throw this.#lost();
  }

  /**
   * Moves the end of the lease.
   *
   * @param ttlMs  milliseconds from now; by default those of `lock`
   * @throws       ERR_SHARED_STATE_LEASE_LOST if the lease has ended, also if it ends before the answer comes; and as a
   *               call of SharedState
   */
  async renew(ttlMs: number = this.#ttlMs): Promise<void> {
    checkTtl('ttlMs', ttlMs);
    this.assertHeld();
    const { name, token } = this;
    const asked = { at: this.#client.clock.now() + ttlMs };
    const until = this.#expiresAt;
    this.#asked.add(asked);
    try {
      const call = this.#client.call({ op: 'renew', name, token, ttlMs }, { timeoutMs: Math.ceil(until - this.#client.clock.now()) },
        ({ expiresAt }) => this.#renewed(asked, expiresAt));
      if (asked.at < until) this.#setTimers();
      await call;
    } catch (error) {
      const { code, maybeDone } = error as StateError;
      if (code === 'ERR_SHARED_STATE_LEASE_LOST') this.#lose();
      if (maybeDone !== true) this.#asked.delete(asked);
      if (!this.held) this.assertHeld();
      this.#setTimers(); // There is time for another renewal.
      throw error;
    }
  }

  /**
   * Releases the lock.
   *
   * @returns  false if it was not held any more
   * @throws   as a call of SharedState
   */
  async release(): Promise<boolean> {
    if (!this.#connected) return false;
    // The call is made first, because a listener of the signal may close the shared state.
    const released = this.#giveBack();
    this.#lose();
    return released;
  }

  /** Is the connection of this lease still there? */
  get #connected(): boolean {
    return this.#client.connection === this.#connection;
  }

  /** The end of the lease, whether the primary does the pending renewals or not. */
  get #expiresAt(): number {
    let end = this.#granted;
    for (const { at } of this.#asked) end = Math.min(end, at);
    return end;
  }

  /** The primary has done a renewal. */
  #renewed(asked: { readonly at: number }, expiresAt: number): void {
    this.assertHeld();
    this.#asked.delete(asked);
    this.#granted = expiresAt;
    this.#setTimers();
  }

  /**
   * Sets the timer of the end, and with `autoRenew` one for a renewal after a third of the time that is left: if it
   * fails, there is time for others.
   */
  #setTimers(): void {
    const { clock } = this.#client;
    this.#cancelEnd();
    this.#cancelRenewal();
    const end = this.#expiresAt;
    this.#cancelEnd = clock.at(end, () => this.#lapse());
    if (!this.#autoRenew) return;
    // A renewal that fails has set the timers again, or the lease is lost: the error needs no handling here.
    this.#cancelRenewal = clock.at(clock.now() + (end - clock.now()) / 3, () => void this.renew().catch(() => undefined));
  }

  /** The end of the lease has passed. */
  #lapse(): void {
    if (this.#end.signal.aborted) return;
    // The call fails if the connection is lost: then the primary has freed the lock.
    if (this.#asked.size > 0 && this.#connected) this.#giveBack().catch(() => undefined);
    this.#lose();
  }

  #giveBack(): Promise<boolean> {
    const { name, token } = this;
    return this.#client.call({ op: 'release', name, token }, {}, ({ done }) => done);
  }

  #lose(): void {
    this.#forget();
    this.#cancelEnd();
    this.#cancelRenewal();
    if (!this.#end.signal.aborted) this.#end.abort(this.#lost());
  }

  #lost(): StateError {
    return stateError('ERR_SHARED_STATE_LEASE_LOST', `The lease of '${this.name}' with token ${this.token} has run out or was released`);
  }
}
