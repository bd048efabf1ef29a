/**
 * The locks that one process takes from a store. The store has no queue: who waits asks again and again.
 *
 * Owns     the pauses of the calls that wait; a table of the leases that this process was granted
 * Used by  session.ts
 * Never    keeps a lock for a caller that is gone: what is granted after `leave` is released
 * Keeps    the table has no lease whose end has passed, but for TIDY_FROM or half of its entries
 */
import type { MachineClock } from '../../clock';
import type { OperationOf, ResultOf } from '../protocol';
import { doneOf, grantOf } from './answers';
import type { SharedStore } from './contract';

/** Milliseconds before a waiting call asks again: 20 ms, doubled each time up to 250 ms, so that many of them do not keep the store busy. */
const FIRST_PAUSE = 20;
const LAST_PAUSE = 250;
/** It asks no sooner than after so many milliseconds, whatever the store says is left of the lease. */
const LEAST_PAUSE = 10;

/** Entries of the table from which on ended leases are removed. */
const TIDY_FROM = 16;

/** A call that waits. `resume`: ends its pause. */
interface Waiting { over: boolean; resume: () => void }

/** The locks of one process. */
export class StoreLocks {
  readonly #store: SharedStore;
  readonly #clock: MachineClock;
  /** Calls that wait, by their ids. */
  #waiting = new Map<number, Waiting>();
  /** The latest lease of each lock. */
  #held = new Map<string, { readonly token: number; readonly until: number }>();
  #tidyAt = TIDY_FROM;

  constructor(store: SharedStore, clock: MachineClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Takes a lock, and waits for it if the call says so. Without a token: it was not free, or the call was cancelled. */
  async acquire(id: number, { name, ttlMs, wait }: OperationOf<'lock'>): Promise<ResultOf<'lock'>> {
    const all = this.#waiting;
    const call: Waiting = { over: false, resume: () => undefined };
    all.set(id, call);
    try {
      for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LAST_PAUSE)) {
        const at = this.#clock.now();
        const granted = grantOf(await this.#store.acquire(name, ttlMs));
        if (granted.token !== undefined) {
          if (all !== this.#waiting) {
            this.#giveBack(name, granted.token);
            return {};
          }
          this.#remember(name, granted.token, at + ttlMs);
          return { token: granted.token, expiresAt: at + ttlMs };
        }
        // Random, so that callers that have begun together do not ask together each time.
        if (wait && !call.over) await this.#pause(call, Math.max(LEAST_PAUSE, Math.min(granted.leftMs, pause * (0.5 + Math.random() / 2))));
        if (!wait || call.over) return {};
      }
    } finally {
      all.delete(id);
    }
  }

  /** The caller waits no longer. */
  cancel(id: number): void {
    const call = this.#waiting.get(id);
    if (call === undefined) return;
    call.over = true;
    call.resume();
  }

  /** Moves the end of a lease. */
  async renew({ name, token, ttlMs }: OperationOf<'renew'>): Promise<ResultOf<'renew'>> {
    const expiresAt = this.#clock.now() + ttlMs;
    await this.#store.renew(name, token, ttlMs);
    if (this.#held.get(name)?.token === token) this.#held.set(name, { token, until: expiresAt });
    return { expiresAt };
  }

  /** Frees a lock. */
  async release({ name, token }: OperationOf<'release'>): Promise<ResultOf<'release'>> {
    if (this.#held.get(name)?.token === token) this.#held.delete(name);
    return { done: doneOf('release', await this.#store.release(name, token)) };
  }

  /** Ends all calls that wait, and gives back all locks. Other calls may follow. */
  leave(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (const call of waiting) {
      call.over = true;
      call.resume();
    }
    const now = this.#clock.now();
    const held = [...this.#held];
    this.#held.clear();
    for (const [name, { token, until }] of held) {
      if (until > now) this.#giveBack(name, token);
    }
  }

  #pause(call: Waiting, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#clock.at(this.#clock.now() + ms, () => call.resume());
      call.resume = () => {
        stop();
        resolve();
      };
    });
  }

  #remember(name: string, token: number, until: number): void {
    this.#held.set(name, { token, until });
    if (this.#held.size < this.#tidyAt) return;
    const now = this.#clock.now();
    for (const [other, lease] of this.#held) {
      if (lease.until <= now) this.#held.delete(other);
    }
    this.#tidyAt = Math.max(TIDY_FROM, 2 * this.#held.size);
  }

  /** Releases a lock that nobody wants. If that fails, the lease ends by itself. */
  #giveBack(name: string, token: number): void {
    void (async () => this.#store.release(name, token))().catch(() => undefined);
  }
}
