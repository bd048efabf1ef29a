/**
 * The contract of a store: what `sharedState({ store })` asks of the object that a program brings, for example an
 * adapter for Redis. Types only.
 *
 * A store keeps texts (values as JSON), never parses one but in `increment`, and gives them back as they came. The
 * callers have checked all arguments: strings without lone surrogates, times to live in milliseconds > 0, finite numbers.
 *
 * Used by  session.ts, feed.ts, locks.ts, open.ts; lib/shared_state.ts exports the types
 * Keeps    (each store)
 *          1. each operation happens at one moment on the server, between its call and its answer
 *          2. one counter numbers each change of any key and each grant of a lock. Versions and tokens come from it,
 *             so each is greater than all before it, also after the server has lost data
 *          3. no operation sees a key or a lease whose time is over
 *          4. each promise is settled. A promise that never settles blocks what waits for it
 */
import type { Fence, KeyEvent } from '../protocol';

/** A key as the store has it. */
export interface StoredValue {
  /** JSON. */
  readonly text: string;
  /** Of the write that stored this text. */
  readonly version: number;
  /** Milliseconds until the store removes the key. Absent: never. */
  readonly ttlMs?: number | undefined;
}

/** A key with its value, as `list` returns it. */
export interface StoredEntry { readonly key: string; readonly text: string; readonly version: number }

/** A change of a key: its new value (`text`), or the reason why it was removed (`gone`). */
export type StoreEvent = KeyEvent;

/** How to write. */
export interface StoreWrite {
  /** Milliseconds after which the store removes the key. Absent: never. `increment` uses it only if it creates the key. */
  readonly ttlMs?: number | undefined;
  /** Write only if the lock `name` is held with this token at the moment of the write. */
  readonly fence?: Fence | undefined;
}

/**
 * A store for `sharedState({ store })`.
 *
 * A method rejects with an error whose `code` is
 *   ERR_SHARED_STATE_LEASE_LOST    the lock of `fence`, or of `renew`, is not held with this token; nothing was done
 *   ERR_SHARED_STATE_NOT_A_NUMBER  from `increment`; nothing was done
 *   ERR_SHARED_STATE_LOST          the server has lost data that this store object had seen; nothing was done. Reported
 *                                  once; later calls work with what the server has now
 * or with any other error: then it is not known whether the operation was done, unless the error has `maybeDone: false`.
 */
export interface SharedStore {
  /** Reads a key. Undefined: there is no such key. */
  get(key: string): Promise<StoredValue | undefined>;
  /** Writes a key. Resolves to the new version. */
  set(key: string, text: string, how: StoreWrite): Promise<number>;
  /** Writes a key if it has this version; 0: if there is no such key. Otherwise resolves to what is there. */
  compareAndSet(key: string, version: number, text: string, how: StoreWrite): Promise<
    { readonly done: true; readonly version: number } | { readonly done: false; readonly current: StoredValue | undefined }>;
  /** Adds to the number of a key, as JavaScript adds. An absent key is 0, and an existing one keeps its end. */
  increment(key: string, by: number, how: StoreWrite): Promise<StoredValue>;
  /** Removes a key; with `version` only in that version. Resolves to whether it was removed. */
  delete(key: string, how: { readonly version?: number | undefined; readonly fence?: Fence | undefined }): Promise<boolean>;

  /** Takes a lock for `ttlMs` if it is free. Otherwise resolves to how long its lease lasts at most if nobody renews it. */
  acquire(name: string, ttlMs: number): Promise<{ readonly token: number } | { readonly token?: undefined; readonly leftMs: number }>;
  /** Moves the end of a lease to `ttlMs` from now. */
  renew(name: string, token: number, ttlMs: number): Promise<void>;
  /** Frees a lock if it is held with this token. Resolves to whether it was. */
  release(name: string, token: number): Promise<boolean>;

  /** All keys that begin with a prefix as they were at one moment, and the number that the counter had then. */
  list(prefix: string): Promise<{ readonly entries: readonly StoredEntry[]; readonly version: number }>;
  /**
   * The changes after the version `since` of keys that begin with a prefix, in order: all of them up to `version`, and
   * `most` events at most. Without `since`: no event, and the number that the counter has. Undefined: the store does
   * not have all changes since then any more, or never had that version.
   */
  changes(prefix: string, since: number | undefined, most: number): Promise<
    { readonly events: readonly StoreEvent[]; readonly version: number } | undefined>;
  /**
   * Calls back soon after each change, and when the connection is there again. It is a hint: one that does not come
   * makes events a second late and loses none. It may call back at any moment, also while another method is called.
   * Returns a function that ends this and gives back what it took.
   */
  watch(changed: () => void): () => void;
}

/** The names of the methods that a store must have. */
export const storeMethods = [
  'get', 'set', 'compareAndSet', 'increment', 'delete', 'acquire', 'renew', 'release', 'list', 'changes', 'watch',
] as const satisfies readonly (keyof SharedStore)[];
