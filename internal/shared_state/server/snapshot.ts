/**
 * The whole shared state as JSON, for the primary that replaces this one: keys with versions and ends, the latest events, the
 * locks with their leases, and for each process that goes on in the new primary its watches.
 *
 * Times are those of `machineClock`, which is the same in both processes.
 *
 * Used by  carry_over.ts, which makes it and begins with one; proxy.ts, which gets it; feed.ts, server.ts, primary.ts (types)
 * Uses     internal/is_object.ts; protocol.ts (types)
 * Keeps    it may come from another version: what `isSnapshot` does not accept is not used, and the state begins anew
 */
import { isObject, type Fields } from '../../is_object';
import type { KeyEvent } from '../protocol';

/** A key. `owner`: the process that wrote it, if it goes on. */
export interface EntrySnapshot {
  readonly key: string;
  readonly text: string;
  readonly version: number;
  readonly expiresAt: number | null;
  readonly owner: number | null;
}

/** A call that waits for a lock. */
export interface WaiterSnapshot { readonly holder: number; readonly id: number; readonly ttlMs: number }

/** A lock that a process holds which goes on. */
export interface LockSnapshot extends Omit<WaiterSnapshot, 'id' | 'ttlMs'> {
  readonly name: string;
  readonly token: number;
  readonly expiresAt: number;
  readonly waiting: readonly WaiterSnapshot[];
}

/** A watch. `since`: the latest version that was sent to it; null: it begins with a reset. `batch`: the number of its last batch. */
export interface FeedSnapshot { readonly watch: number; readonly prefix: string; readonly since: number | null; readonly beat: boolean; readonly batch: number }

/** A process that goes on. `key`: its number for the proxy (proxy.ts). */
export interface SessionSnapshot { readonly key: number; readonly feeds: readonly FeedSnapshot[] }

/** The shared state. */
export interface StateSnapshot {
  readonly revision: number;
  readonly entries: readonly EntrySnapshot[];
  /** The events that are remembered, and the version before the first of them. */
  readonly history: { readonly floor: number; readonly events: readonly KeyEvent[] };
  readonly locks: readonly LockSnapshot[];
  readonly sessions: readonly SessionSnapshot[];
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isString = (value: unknown): value is string => typeof value === 'string';
const isListOf = (value: unknown, is: (one: Fields) => boolean): boolean => Array.isArray(value) && value.every((one: unknown) => isObject(one) && is(one));

const isEntry = ({ key, text, version, expiresAt, owner }: Fields): boolean =>
  isString(key) && isString(text) && isNumber(version) && (expiresAt === null || isNumber(expiresAt)) && (owner === null || isNumber(owner));
const isEvent = ({ key, version, text, gone }: Fields): boolean => isString(key) && isNumber(version) && (text === undefined || isString(text)) && (gone === undefined || isString(gone));
const isWaiter = ({ holder, id, ttlMs }: Fields): boolean => isNumber(holder) && isNumber(id) && isNumber(ttlMs);
const isLock = ({ name, holder, token, expiresAt, waiting }: Fields): boolean =>
  isString(name) && isNumber(holder) && isNumber(token) && isNumber(expiresAt) && isListOf(waiting, isWaiter);
const isFeed = ({ watch, prefix, since, beat, batch }: Fields): boolean =>
  isNumber(watch) && isString(prefix) && (since === null || isNumber(since)) && typeof beat === 'boolean' && isNumber(batch);

/** Is it the shared state of another primary? */
export function isSnapshot(value: unknown): value is StateSnapshot {
  if (!isObject(value)) return false;
  const { revision, entries, history, locks, sessions } = value;
  return isNumber(revision) && isListOf(entries, isEntry) && isObject(history) && isNumber(history['floor']) && isListOf(history['events'], isEvent)
    && isListOf(locks, isLock) && isListOf(sessions, ({ key, feeds }) => isNumber(key) && isListOf(feeds, isFeed));
}
