/**
 * The locks: each is held by at most one holder, as a lease that runs out, and waited for in order.
 * A pure state machine: time comes in as `now`, and who gets a lock that became free is told through
 * `granted`.
 *
 * Owns     the table of locks, their deadlines, who waits for them
 * Used by  server.ts; a Holder is one of its sessions
 * States   of one lock:
 *          free ── acquire ──► held ── release, expire, leave ──► held by the next who waits, or free
 *                               └── renew: held for longer, by the same token
 * Keeps    1. tokens come from the store's counter: a later grant has a greater one, of any lock
 *          2. a lock is in the table exactly while it is held; nobody waits for a free one
 *          3. nobody is granted a lock before its last lease ran out, was released, or its holder left
 */
import { Deadlines } from './deadlines';
import type { Fence, Limits } from './protocol';
import { stateError } from './values';

/** A lease as its holder sees it. */
export interface Grant {
  readonly name: string;
  readonly token: number;
  readonly expiresAt: number;
}

/** Somebody who waits; `id` is the call that is answered by a grant. */
export interface Waiter<Holder> {
  readonly holder: Holder;
  readonly id: number;
  readonly ttlMs: number;
}

interface Held<Holder> {
  readonly holder: Holder;
  readonly token: number;
  expiresAt: number;
  readonly waiting: Waiter<Holder>[];
}

/** The table of locks. */
export class Leases<Holder> {
  readonly #limits: Limits;
  readonly #nextToken: () => number;
  readonly #granted: (waiter: Waiter<Holder>, grant: Grant) => void;
  readonly #locks = new Map<string, Held<Holder>>();
  readonly #deadlines = new Deadlines<string>();
  #waiting = 0;

  constructor(limits: Limits, nextToken: () => number, granted: (waiter: Waiter<Holder>, grant: Grant) => void) {
    this.#limits = limits;
    this.#nextToken = nextToken;
    this.#granted = granted;
  }

  /** How many locks are held. */
  get size(): number {
    return this.#locks.size;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting;
  }

  nextDeadline(): number {
    return this.#deadlines.next();
  }

  /** The lock, if it is free; else 'waits', and `granted` is called when it is this one's turn; or 'held'. */
  acquire(now: number, name: string, waiter: Waiter<Holder>, wait: boolean): Grant | 'waits' | 'held' {
    const held = this.#locks.get(name);
    if (held !== undefined && !wait) return 'held';
    const { locks } = this.#limits;
    if (this.#locks.size + this.#waiting >= locks) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `${locks} locks are held or waited for, as many as limits.locks allows`, { limit: 'locks' });
    }
    if (held === undefined) return this.#grant(now, name, waiter, []);
    held.waiting.push(waiter);
    this.#waiting++;
    return 'waits';
  }

  /** The same lease, for `ttlMs` from now on. */
  renew(now: number, fence: Fence, holder: Holder, ttlMs: number): Grant {
    const held = this.check(fence, holder);
    held.expiresAt = now + ttlMs;
    this.#deadlines.set(fence.name, held.expiresAt);
    return { ...fence, expiresAt: held.expiresAt };
  }

  /** Gives a lock back; false if it was not this holder's any more. */
  release(now: number, { name, token }: Fence, holder: Holder): boolean {
    const held = this.#locks.get(name);
    if (held === undefined || held.token !== token || held.holder !== holder) return false;
    this.#free(now, name, held);
    return true;
  }

  /** Throws ERR_SHARED_STATE_LEASE_LOST unless this holder has the lock by this token. */
  check({ name, token }: Fence, holder: Holder): Held<Holder> {
    const held = this.#locks.get(name);
    if (held !== undefined && held.token === token && held.holder === holder) return held;
    throw stateError('ERR_SHARED_STATE_LEASE_LOST', `The lease of '${name}' with token ${token} has run out or was released`);
  }

  /** Who holds it, and how many wait. */
  look(name: string): { holder: Holder; token: number; expiresAt: number; waiting: number } | undefined {
    const held = this.#locks.get(name);
    return held && { holder: held.holder, token: held.token, expiresAt: held.expiresAt, waiting: held.waiting.length };
  }

  /** Does not wait any more; false if it did not. */
  cancel(holder: Holder, id: number): boolean {
    for (const { waiting } of this.#locks.values()) {
      const at = waiting.findIndex((waiter) => waiter.holder === holder && waiter.id === id);
      if (at === -1) continue;
      waiting.splice(at, 1);
      this.#waiting--;
      return true;
    }
    return false;
  }

  /** The holder is gone: it waits for nothing, and what it held is free. */
  leave(now: number, holder: Holder): void {
    for (const held of this.#locks.values()) {
      const stay = held.waiting.filter((waiter) => waiter.holder !== holder);
      this.#waiting -= held.waiting.length - stay.length;
      held.waiting.splice(0, Infinity, ...stay);
    }
    for (const [name, held] of [...this.#locks]) {
      if (held.holder === holder) this.#free(now, name, held);
    }
  }

  /** Frees every lock whose lease ran out. */
  expire(now: number): void {
    for (const name of this.#deadlines.due(now)) this.#free(now, name, this.#locks.get(name) as Held<Holder>);
  }

  #free(now: number, name: string, { waiting }: Held<Holder>): void {
    const [next, ...others] = waiting;
    if (next === undefined) {
      this.#locks.delete(name);
      this.#deadlines.delete(name);
      return;
    }
    this.#waiting--;
    this.#granted(next, this.#grant(now, name, next, others));
  }

  #grant(now: number, name: string, { holder, ttlMs }: Waiter<Holder>, waiting: Waiter<Holder>[]): Grant {
    const token = this.#nextToken();
    const expiresAt = now + ttlMs;
    this.#locks.set(name, { holder, token, expiresAt, waiting });
    this.#deadlines.set(name, expiresAt);
    return { name, token, expiresAt };
  }
}
