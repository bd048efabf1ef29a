/**
 * What `lock` gives: the right to be the only one, until it runs out. Its end is known here as soon
 * as in the primary, since both read the same clock.
 *
 * Owns     a timer for its end, one for its renewal; both gone when it is
 * States   held ── release ──► released;  held ── time, loss of the connection ──► lost
 */
import type { StateClient } from './client';
import type { Fence } from './protocol';
import { checkTtl, stateError, type StateError } from './values';

/** A lock that this process holds. */
export class Lease {
  readonly name: string;
  /** Greater than that of every earlier lease: a database that keeps the greatest it saw can refuse a late writer. */
  readonly token: number;
  readonly #client: StateClient;
  readonly #ttlMs: number;
  readonly #autoRenew: boolean;
  readonly #end = new AbortController();
  readonly #forget: () => void;
  #expiresAt: number;
  #cancelEnd: () => void = () => undefined;
  #cancelRenewal: () => void = () => undefined;

  constructor(client: StateClient, { name, token }: Fence, expiresAt: number, ttlMs: number, autoRenew: boolean) {
    this.#client = client;
    this.name = name;
    this.token = token;
    this.#expiresAt = expiresAt;
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
    return !this.#end.signal.aborted && this.#client.clock.now() < this.#expiresAt;
  }

  /** How long it is held if it is not renewed; 0 if it is not. */
  get leftMs(): number {
    return this.held ? this.#expiresAt - this.#client.clock.now() : 0;
  }

  /** Throws ERR_SHARED_STATE_LEASE_LOST unless it is held. */
  assertHeld(): void {
    if (!this.held) throw this.#lost();
  }

  /** Holds it for `ttlMs` from now on. Rejects with ERR_SHARED_STATE_LEASE_LOST if it has run out. */
  async renew(ttlMs: number = this.#ttlMs): Promise<void> {
    checkTtl('ttlMs', ttlMs);
    this.assertHeld();
    const { name, token } = this;
    try {
      const { expiresAt = 0 } = await this.#client.call({ op: 'renew', name, token, ttlMs }, { timeoutMs: Math.ceil(this.leftMs) });
      this.#expiresAt = expiresAt;
    } catch (error) {
      if ((error as StateError).code === 'ERR_SHARED_STATE_LEASE_LOST') this.#lose();
      throw error;
    }
    if (!this.#end.signal.aborted) this.#setTimers();
  }

  /** Gives it back; false if it was not held any more. */
  async release(): Promise<boolean> {
    if (!this.held) return false;
    const { name, token } = this;
    // Whatever comes of the call, this process is not the holder from here on.
    this.#lose();
    return (await this.#client.call({ op: 'release', name, token })).done === true;
  }

  #setTimers(): void {
    const { clock } = this.#client;
    this.#cancelEnd();
    this.#cancelRenewal();
    this.#cancelEnd = clock.at(this.#expiresAt, () => this.#lose());
    if (!this.#autoRenew) return;
    const left = this.#expiresAt - clock.now();
    this.#cancelRenewal = clock.at(clock.now() + left / 3, () => void this.renew().catch(() => this.#retry()));
  }

  /** A renewal failed: if that was not the end, there is time for another. */
  #retry(): void {
    if (this.held) this.#setTimers();
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
