/**
 * What each operation does to the keys and locks, at one moment.
 *
 * Used by  server.ts, which has expired what had to be, and answers
 * Keeps    1. an operation that throws has changed nothing
 *          2. no result has a value that its caller has sent: what was written is at most a version
 */
import type { Holder, Leases } from './locks';
import type { Call, Limits, Result } from '../protocol';
import type { Entry, Store } from './store';
import { checkBytes, stateError } from '../values';

/** All but what concerns watches. */
export type StoreCall = Exclude<Call, { op: 'watch' | 'unwatch' }>;

/** Does it, for a holder of locks; null if the answer comes when a lock is granted. */
export function operate<Process extends Holder>(
  store: Store, leases: Leases<Process>, limits: Limits, now: number, holder: Process, call: StoreCall,
): Result | null {
  if ('fence' in call && call.fence !== undefined) leases.check(call.fence, holder);
  const ends = (ttlMs: number | undefined): number | undefined => (ttlMs === undefined ? undefined : now + ttlMs);
  // The primary's own values come from `encode`; a worker's may be anything, and others would parse it.
  if ('text' in call && holder.id !== 0) checkText(call.text);
  switch (call.op) {
    case 'get':
      return shown(store.get(call.key));
    case 'set':
      return { version: store.set(call.key, call.text, ends(call.ttlMs), holder.account).version };
    case 'delete': {
      const { version = 0 } = store.get(call.key) ?? {};
      if (call.version !== undefined && call.version !== version) return { done: false, version };
      const deleted = store.delete(call.key);
      return { done: deleted !== undefined, version: deleted ?? 0 };
    }
    case 'increment': {
      const before = store.get(call.key);
      // A window of time does not move with what is counted in it.
      return shown(store.set(call.key, added(call.key, before, call.by), before !== undefined ? before.expiresAt : ends(call.ttlMs), holder.account));
    }
    case 'compareAndSet': {
      const before = store.get(call.key);
      if ((before?.version ?? 0) !== call.version) return { done: false, ...shown(before) };
      return { done: true, version: store.set(call.key, call.text, ends(call.ttlMs), holder.account).version };
    }
    case 'lock': {
      checkBytes('The name of the lock', call.name, limits, 'keyBytes');
      const granted = leases.acquire(now, call.name, { holder, id: call.id, ttlMs: call.ttlMs }, call.wait);
      if (granted === 'waits') return null;
      return granted === 'held' ? {} : { token: granted.token, expiresAt: granted.expiresAt };
    }
    case 'renew':
      return { expiresAt: leases.renew(now, { name: call.name, token: call.token }, holder, call.ttlMs).expiresAt };
    case 'release':
      return { done: leases.release(now, call, holder) };
    case 'holder': {
      const lock = leases.look(call.name);
      return lock === undefined ? {} : { holder: lock.holder.id, token: lock.token, expiresAt: lock.expiresAt, waiting: lock.waiting };
    }
    default:
      return call satisfies never;
  }
}

/** What an answer says of an entry; an absent one has version 0. */
function shown(entry: Entry | undefined): Result {
  if (entry === undefined) return { version: 0 };
  const { text, version, expiresAt } = entry;
  return expiresAt === undefined ? { text, version } : { text, version, expiresAt };
}

/** The text of a number has at most 24 characters, unless it came with digits that do not count. */
const LONGEST_NUMBER = 64;

/** The text of the sum. */
function added(key: string, before: Entry | undefined, by: number): string {
  // A long text is no number, and reading it for each of many calls would take long.
  const value: unknown = before === undefined ? 0 : before.text.length > LONGEST_NUMBER ? null : JSON.parse(before.text);
  if (typeof value !== 'number') {
    throw stateError('ERR_SHARED_STATE_NOT_A_NUMBER', `The value of '${key}' is no number, it cannot be incremented`);
  }
  const sum = value + by;
  if (Number.isInteger(value) && Number.isInteger(by) ? !Number.isSafeInteger(sum) : !Number.isFinite(sum)) {
    throw stateError('ERR_SHARED_STATE_NOT_A_NUMBER', `'${key}' would be ${sum}, beyond what a number can count exactly`);
  }
  return String(sum);
}

function checkText(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw stateError('ERR_SHARED_STATE_VALUE', 'The value is no JSON');
  }
}
