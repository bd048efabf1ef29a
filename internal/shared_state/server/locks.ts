/**
 * The locks. A lock has at most one holder, for the time of its lease; other callers wait for it in a queue.
 *
 * A pure state machine: it has no timer, the caller passes the time as `now`. When a waiting caller gets its
 * lock, this file calls `granted`.
 *
 * Owns     the table of locks with their queues; the deadlines of the leases; for each process, what it holds
 *          and waits for
 * Used by  server.ts, operations.ts and carry_over.ts. The processes are the sessions of the server
 * States   of one lock:
 *          free ── acquire ──► held ── release, expire, leave ──► held by the first that waits, or free
 *                               └── renew: the same token, a later end
 * Keeps    1. tokens come from the store's counter, so each grant has a greater token than all grants before,
 *             of any lock
 *          2. the table has exactly the locks that are held; nobody waits for a lock that is free
 *          3. a lock is granted only after its last lease has ended, was released, or its holder has left
 *          4. an account counts what its process holds and waits for; a process that has neither is not in the
 *             table of processes
 *          5. an operation looks only at the locks of the process that asks
 */
import type { Account } from './account';
import { Deadlines } from './deadlines';
import type { Fence, Limits } from '../protocol';
import { stateError } from '../values';

/** A process that can hold locks. */
export interface Holder {
  /** A worker's id, 0 for the primary. */
  readonly id: number;
  readonly account: Account;
}

/** What the new holder of a lock learns: the lease. */
export interface Grant {
  readonly name: string;
  readonly token: number;
  /** Milliseconds of the clock whose `now` the caller passes. */
  readonly expiresAt: number;
}

/** One 'lock' call of a process. `id`: the call, which the grant answers. */
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
  /** The calls that wait for this lock, the first in line first. */
  readonly waiting: Set<Waiter<Process>>;
}

/** The locks of one process. */
interface OwnLocks<Process> {
  readonly held: Set<Lock<Process>>;
  /** The calls that wait, by their id. */
  readonly waits: Map<number, { readonly lock: Lock<Process>; readonly waiter: Waiter<Process> }>;
}

/** The table of locks. */
export class Locks<Process extends Holder> {
  readonly #limits: Limits;
  readonly #nextToken: () => number;
  readonly #granted: (waiter: Waiter<Process>, grant: Grant) => void;
  readonly #locks = new Map<string, Lock<Process>>();
  readonly #holders = new Map<Process, OwnLocks<Process>>();
  readonly #deadlines = new Deadlines<string>();
  #waiting = 0;

  constructor(limits: Limits, nextToken: () => number, granted: (waiter: Waiter<Process>, grant: Grant) => void) {
    this.#limits = limits;
    this.#nextToken = nextToken;
    this.#granted = granted;
  }

  /** The number of locks that are held. */
  get size(): number {
    return this.#locks.size;
  }

  /** The number of calls that wait, for any lock. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The number of calls of this process that wait for a lock. */
  waitsOf(holder: Process): number {
    return this.#holders.get(holder)?.waits.size ?? 0;
  }

  /** When the next lease ends; Infinity if none does. */
  nextDeadline(): number {
    return this.#deadlines.next();
  }

  /**
   * Asks for a lock. Returns the lease if the lock is free. Otherwise 'held' if `wait` is false, or 'waits': then
   * `granted` is called when the caller gets the lock. Throws ERR_SHARED_STATE_LIMIT.
   */
  acquire(now: number, name: string, waiter: Waiter<Process>, wait: boolean): Grant | 'waits' | 'held' {
    const lock = this.#locks.get(name);
    if (lock !== undefined && !wait) return 'held';
    const { holder, id } = waiter;
    const { locks } = this.#limits;
    if (this.#locks.size + this.#waiting >= locks) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `${locks} locks are held or waited for, as many as limits.locks allows`, { limit: 'locks' });
    }
    holder.account.check('locksPerProcess', holder.account.locks + 1);
    const { held, waits } = this.#ownLocks(holder);
    if (waits.has(id)) throw stateError('ERR_SHARED_STATE_PROTOCOL', `Call ${id} already waits for a lock`);
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

  /** Moves the end of a lease to `ttlMs` from now. Throws ERR_SHARED_STATE_LEASE_LOST if this process does not hold it. */
  renew(now: number, fence: Fence, holder: Process, ttlMs: number): Grant {
    const lock = this.check(fence, holder);
    lock.expiresAt = now + ttlMs;
    this.#deadlines.set(lock.name, lock.expiresAt);
    return { name: lock.name, token: lock.token, expiresAt: lock.expiresAt };
  }

  /** Frees a lock; false if this process did not hold it any more. */
  release(now: number, { name, token }: Fence, holder: Process): boolean {
    const lock = this.#locks.get(name);
    if (lock === undefined || lock.token !== token || lock.holder !== holder) return false;
    this.#free(now, lock);
    return true;
  }

  /** Throws ERR_SHARED_STATE_LEASE_LOST unless this process holds the lock with this token. */
  check({ name, token }: Fence, holder: Process): Lock<Process> {
    const lock = this.#locks.get(name);
    if (lock !== undefined && lock.token === token && lock.holder === holder) return lock;
    throw stateError('ERR_SHARED_STATE_LEASE_LOST', `The lease of '${name}' with token ${token} has run out or was released`);
  }

  /** The holder of a lock, its lease, and the number of calls that wait; undefined if the lock is free. */
  look(name: string): { holder: Process; token: number; expiresAt: number; waiting: number } | undefined {
    const lock = this.#locks.get(name);
    return lock && { holder: lock.holder, token: lock.token, expiresAt: lock.expiresAt, waiting: lock.waiting.size };
  }

  /** All locks that are held, with the calls that wait for them. */
  all(): readonly (Readonly<Omit<Lock<Process>, 'waiting'>> & { readonly waiting: readonly Waiter<Process>[] })[] {
    return [...this.#locks.values()].map((lock) => ({ ...lock, waiting: [...lock.waiting] }));
  }

  /** A lock of another primary goes on here, with its token and its lease. It must be free. Limits do not apply. */
  restore(name: string, holder: Process, token: number, expiresAt: number, waiting: readonly Waiter<Process>[]): void {
    const lock: Lock<Process> = { name, holder, token, expiresAt, waiting: new Set(waiting) };
    this.#locks.set(name, lock);
    this.#deadlines.set(name, expiresAt);
    this.#ownLocks(holder).held.add(lock);
    holder.account.locks++;
    for (const waiter of waiting) {
      this.#ownLocks(waiter.holder).waits.set(waiter.id, { lock, waiter });
      waiter.holder.account.locks++;
      this.#waiting++;
    }
  }

  /** Removes a call that waits; false if no call of this id waits. */
  cancel(holder: Process, id: number): boolean {
    const waits = this.#holders.get(holder)?.waits.get(id);
    if (waits === undefined) return false;
    this.#removeWaiter(waits.lock, waits.waiter);
    holder.account.locks--;
    this.#tidy(holder);
    return true;
  }

  /** The process is gone: removes its waiting calls and frees its locks. */
  leave(now: number, holder: Process): void {
    const own = this.#holders.get(holder);
    if (own === undefined) return;
    // The waiting calls first: otherwise the process could get a lock that it has just lost.
    for (const id of [...own.waits.keys()]) this.cancel(holder, id);
    for (const lock of [...own.held]) this.#free(now, lock);
  }

  /** Frees each lock whose lease has ended. */
  expire(now: number): void {
    for (const name of this.#deadlines.due(now)) {
      const lock = this.#locks.get(name);
      if (lock !== undefined) this.#free(now, lock);
    }
  }

  /** Gives the lock to the first that waits, or removes it. */
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
    this.#removeWaiter(lock, next);
    lock.holder = next.holder;
    lock.token = this.#nextToken();
    lock.expiresAt = now + next.ttlMs;
    this.#deadlines.set(lock.name, lock.expiresAt);
    this.#ownLocks(next.holder).held.add(lock);
    this.#granted(next, { name: lock.name, token: lock.token, expiresAt: lock.expiresAt });
  }

  #removeWaiter(lock: Lock<Process>, waiter: Waiter<Process>): void {
    lock.waiting.delete(waiter);
    this.#holders.get(waiter.holder)?.waits.delete(waiter.id);
    this.#waiting--;
  }

  #ownLocks(holder: Process): OwnLocks<Process> {
    const known = this.#holders.get(holder);
    if (known !== undefined) return known;
    const own: OwnLocks<Process> = { held: new Set(), waits: new Map() };
    this.#holders.set(holder, own);
    return own;
  }

  /** Removes a process without locks and waiting calls from the table. */
  #tidy(holder: Process): void {
    const own = this.#holders.get(holder);
    if (own?.held.size === 0 && own.waits.size === 0) this.#holders.delete(holder);
  }
}
