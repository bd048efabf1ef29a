/**
 * What `lock` gives: the right to be the only one, until it runs out.
 *
 * The primary decides about the lock, by the token. This side believes that it holds it for as long as
 * the primary has surely left it: both read the same clock, so the end that the primary has granted is
 * known here. A renewal that is under way can only shorten that belief until its answer comes. When
 * the end comes first (the loop was blocked, the primary is busy) the lease is lost here for good; the
 * primary may have renewed it all the same, and is asked to free it: else it would have no owner.
 *
 * Owns     a timer for its end, one for its renewal; both gone when it is
 * States   held ── release ──► lost;  held ── time ──► lost, and given back if a renewal may have been granted
 *          held ── loss of the connection, refused renewal ──► lost: the primary has freed it
 * Keeps    1. what is lost is never held again, whatever answers come later
 *          2. `held` is true only while the primary has it for this token; never after the next
 *             holder could have had it
 *          3. `release` asks the primary, unless the connection is gone by which it was held
 *          4. `signal` is aborted after everything else is done: its listeners may do what they like
 */
import type { StateClient } from './client';
import type { Fence } from '../protocol';
import { checkTtl, stateError, type StateError } from '../values';

/** A lock that this process holds. */
export class Lease {
  readonly name: string;
  /** Greater than that of every earlier lease: a database that keeps the greatest it saw can refuse a late writer. */
  readonly token: number;
  readonly #client: StateClient;
  readonly #connection: number;
  readonly #ttlMs: number;
  readonly #autoRenew: boolean;
  readonly #end = new AbortController();
  readonly #forget: () => void;
  /** The end that the primary has granted last. */
  #granted: number;
  /** Renewals without an answer: each may have moved the end, to `at` or later. */
  readonly #asked = new Set<{ readonly at: number }>();
  #cancelEnd: () => void = () => undefined;
  #cancelRenewal: () => void = () => undefined;

  /** Made as the grant comes, on the connection on which it does. */
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

  /** Aborted when it is no longer held, whatever the reason: pass it to what must stop then. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Is it held, at this moment? */
  get held(): boolean {
    return !this.#end.signal.aborted && this.#connected && this.#client.clock.now() < this.#expiresAt;
  }

  /** How long it is held if it is not renewed; 0 if it is not. */
  get leftMs(): number {
    return this.held ? this.#expiresAt - this.#client.clock.now() : 0;
  }

  /** Throws ERR_SHARED_STATE_LEASE_LOST unless it is held. */
  assertHeld(): void {
    if (this.held) return;
    this.#lapse(); // The loop was blocked past the end: the timer has not come yet.
    throw this.#lost();
  }

  /** Holds it for `ttlMs` from now on. Rejects with ERR_SHARED_STATE_LEASE_LOST if it has run out, also while the answer is under way. */
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
      this.#setTimers(); // There is time for another.
      throw error;
    }
  }

  /** Gives it back; false if it was not held any more. */
  async release(): Promise<boolean> {
    if (!this.#connected) return false;
    // Asked first: a listener of the signal may close the shared state.
    const released = this.#giveBack();
    this.#lose();
    return released;
  }

  get #connected(): boolean {
    return this.#client.connection === this.#connection;
  }

  /** Until then the primary has it for us, whatever becomes of the renewals that are under way. */
  get #expiresAt(): number {
    let end = this.#granted;
    for (const { at } of this.#asked) end = Math.min(end, at);
    return end;
  }

  /** The primary has granted a renewal. */
  #renewed(asked: { readonly at: number }, expiresAt: number): void {
    this.assertHeld();
    this.#asked.delete(asked);
    this.#granted = expiresAt;
    this.#setTimers();
  }

  #setTimers(): void {
    const { clock } = this.#client;
    this.#cancelEnd();
    this.#cancelRenewal();
    const end = this.#expiresAt;
    this.#cancelEnd = clock.at(end, () => this.#lapse());
    if (!this.#autoRenew) return;
    this.#cancelRenewal = clock.at(clock.now() + (end - clock.now()) / 3, () => void this.renew().catch(() => undefined)); // A failure has set the timers anew, or was the end.
  }

  /** The end has come, by the clock. */
  #lapse(): void {
    if (this.#end.signal.aborted) return;
    if (this.#asked.size > 0 && this.#connected) this.#giveBack().catch(() => undefined); // Lost with the connection: free as well.
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
