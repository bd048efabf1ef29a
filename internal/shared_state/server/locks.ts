/**
 * The locks: each is held by at most one holder, as a lease that runs out, and waited for in order.
 * A pure state machine: time comes in as `now`, and who gets a lock that became free is told through
 * `granted`.
 *
 * Owns     the table of locks, their deadlines, who waits for them; for each holder what it has in here
 * Used by  server.ts; a holder is one of its sessions
 * States   of one lock:
 *          free ── acquire ──► held ── release, expire, leave ──► held by the next who waits, or free
 *                               └── renew: held until another time, by the same token
 * Keeps    1. tokens come from the store's counter: a later grant has a greater one, of any lock
 *          2. a lock is in the table exactly while it is held; nobody waits for a free one
 *          3. nobody is granted a lock before its last lease ran out, was released, or its holder left
 *          4. an account counts what its holder holds and waits for, and a holder without either has
 *             no entry in the table of holders
 *          5. no operation looks at locks that are none of its holder's
 */
import type { Account } from './account';
import { Deadlines } from './deadlines';
import type { Fence, Limits } from '../protocol';
import { stateError } from '../values';

/** A process that holds locks. */
export interface Holder {
  /** A worker's id, 0 for the primary. */
  readonly id: number;
  readonly account: Account;
}

/** A lease as its holder sees it. */
export interface Grant {
  readonly name: string;
  readonly token: number;
  readonly expiresAt: number;
}

/** Somebody who waits; `id` is the call that is answered by a grant. */
export interface Waiter<Process> {
  readonly holder: Process;
  readonly id: number;
  readonly ttlMs: number;
}

interface Lock<Process> {
  readonly name: string;
  holder: Process;
  token: number;
  expiresAt: number;
  /** In the order in which they came. */
  readonly waiting: Set<Waiter<Process>>;
}

/** What one process has in here. */
interface Possessions<Process> {
  readonly held: Set<Lock<Process>>;
  /** By the call that waits. */
  readonly waits: Map<number, { readonly lock: Lock<Process>; readonly waiter: Waiter<Process> }>;
}

/** The table of locks. */
export class Locks<Process extends Holder> {
  readonly #limits: Limits;
  readonly #nextToken: () => number;
  readonly #granted: (waiter: Waiter<Process>, grant: Grant) => void;
  readonly #locks = new Map<string, Lock<Process>>();
  readonly #holders = new Map<Process, Possessions<Process>>();
  readonly #deadlines = new Deadlines<string>();
  #waiting = 0;

  constructor(limits: Limits, nextToken: () => number, granted: (waiter: Waiter<Process>, grant: Grant) => void) {
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

  /** How many calls of this process wait for a lock. */
  waitsOf(holder: Process): number {
    return this.#holders.get(holder)?.waits.size ?? 0;
  }

  nextDeadline(): number {
    return this.#deadlines.next();
  }

  /** The lock, if it is free; else 'waits', and `granted` is called when it is this one's turn; or 'held'. */
  acquire(now: number, name: string, waiter: Waiter<Process>, wait: boolean): Grant | 'waits' | 'held' {
    const lock = this.#locks.get(name);
    if (lock !== undefined && !wait) return 'held';
    const { holder, id } = waiter;
    const { locks } = this.#limits;
    if (this.#locks.size + this.#waiting >= locks) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `${locks} locks are held or waited for, as many as limits.locks allows`, { limit: 'locks' });
    }
    holder.account.check('locksPerProcess', holder.account.locks + 1);
    const { held, waits } = this.#possessions(holder);
    if (waits.has(id)) throw stateError('ERR_SHARED_STATE_PROTOCOL', `Call ${id} waits for a lock already`);
    holder.account.locks++;
    if (lock !== undefined) {
      lock.waiting.add(waiter);
      waits.set(id, { lock, waiter });
      this.#waiting++;
      return 'waits';
    }
    const granted: Lock<Process> = { name, holder, token: this.#nextToken(), expiresAt: now + waiter.ttlMs, waiting: new Set() };
    this.#locks.set(name, granted);
    this.#deadlines.set(name, granted.expiresAt);
    held.add(granted);
    return { name, token: granted.token, expiresAt: granted.expiresAt };
  }

  /** The same lease, for `ttlMs` from now on. */
  renew(now: number, fence: Fence, holder: Process, ttlMs: number): Grant {
    const lock = this.check(fence, holder);
    lock.expiresAt = now + ttlMs;
    this.#deadlines.set(lock.name, lock.expiresAt);
    return { name: lock.name, token: lock.token, expiresAt: lock.expiresAt };
  }

  /** Gives a lock back; false if it was not this holder's any more. */
  release(now: number, { name, token }: Fence, holder: Process): boolean {
    const lock = this.#locks.get(name);
    if (lock === undefined || lock.token !== token || lock.holder !== holder) return false;
    this.#free(now, lock);
    return true;
  }

  /** Throws ERR_SHARED_STATE_LEASE_LOST unless this holder has the lock by this token. */
  check({ name, token }: Fence, holder: Process): Lock<Process> {
    const lock = this.#locks.get(name);
    if (lock !== undefined && lock.token === token && lock.holder === holder) return lock;
    throw stateError('ERR_SHARED_STATE_LEASE_LOST', `The lease of '${name}' with token ${token} has run out or was released`);
  }

  /** Who holds it, and how many wait. */
  look(name: string): { holder: Process; token: number; expiresAt: number; waiting: number } | undefined {
    const lock = this.#locks.get(name);
    return lock && { holder: lock.holder, token: lock.token, expiresAt: lock.expiresAt, waiting: lock.waiting.size };
  }

  /** Does not wait any more; false if it did not. */
  cancel(holder: Process, id: number): boolean {
    const waits = this.#holders.get(holder)?.waits.get(id);
    if (waits === undefined) return false;
    this.#waitsNoMore(waits.lock, waits.waiter);
    holder.account.locks--;
    this.#tidy(holder);
    return true;
  }

  /** The holder is gone: it waits for nothing, and what it held is free. */
  leave(now: number, holder: Process): void {
    const possessions = this.#holders.get(holder);
    if (possessions === undefined) return;
    // First it waits no more, so that it is not granted what it held itself.
    for (const id of [...possessions.waits.keys()]) this.cancel(holder, id);
    for (const lock of [...possessions.held]) this.#free(now, lock);
  }

  /** Frees every lock whose lease ran out. */
  expire(now: number): void {
    for (const name of this.#deadlines.due(now)) {
      const lock = this.#locks.get(name);
      if (lock !== undefined) this.#free(now, lock);
    }
  }

  #free(now: number, lock: Lock<Process>): void {
    const { holder } = lock;
    this.#holders.get(holder)?.held.delete(lock);
    holder.account.locks--;
    this.#tidy(holder);
    const [next] = lock.waiting;
    if (next === undefined) {
      this.#locks.delete(lock.name);
      this.#deadlines.delete(lock.name);
      return;
    }
    this.#waitsNoMore(lock, next);
    lock.holder = next.holder;
    lock.token = this.#nextToken();
    lock.expiresAt = now + next.ttlMs;
    this.#deadlines.set(lock.name, lock.expiresAt);
    this.#possessions(next.holder).held.add(lock);
    this.#granted(next, { name: lock.name, token: lock.token, expiresAt: lock.expiresAt });
  }

  #waitsNoMore(lock: Lock<Process>, waiter: Waiter<Process>): void {
    lock.waiting.delete(waiter);
    this.#holders.get(waiter.holder)?.waits.delete(waiter.id);
    this.#waiting--;
  }

  #possessions(holder: Process): Possessions<Process> {
    const known = this.#holders.get(holder);
    if (known !== undefined) return known;
    const possessions: Possessions<Process> = { held: new Set(), waits: new Map() };
    this.#holders.set(holder, possessions);
    return possessions;
  }

  #tidy(holder: Process): void {
    const possessions = this.#holders.get(holder);
    if (possessions?.held.size === 0 && possessions.waits.size === 0) this.#holders.delete(holder);
  }
}
