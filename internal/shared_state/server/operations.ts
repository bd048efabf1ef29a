/**
 * What each operation does to the keys and locks. It is done at one moment, `now`, without a pause.
 *
 * Used by  server.ts, which first removes the keys and frees the locks whose time is over, and sends the result
 * Keeps    1. an operation that throws has changed nothing
 *          2. no result has a value that its caller has sent: a write results in a version
 */
import type { Holder, Locks } from './locks';
import type { Call, Limits, OperationName, ResultOf } from '../protocol';
import type { Entry, Store } from './store';
import { checkBytes, stateError } from '../values';

/** The names of the operations on keys and locks: all but those on watches. */
export type StoreOperation = Exclude<OperationName, 'watch' | 'unwatch'>;

/** A call of one of these operations. */
export type StoreCall = Extract<Call, { readonly op: StoreOperation }>;

/** Does one operation for `holder`, the process that asks. Null: the call waits for a lock, and is answered when it gets the lock. */
export function operate<Process extends Holder>(
  store: Store, locks: Locks<Process>, limits: Limits, now: number, holder: Process, call: StoreCall,
): ResultOf<StoreOperation> | null {
  if ('fence' in call && call.fence !== undefined) locks.check(call.fence, holder);
  const endOf = (ttlMs: number | undefined): number | undefined => (ttlMs === undefined ? undefined : now + ttlMs);
  // The primary's own client has made the text from a value. A worker may send any text, and each reader would fail to parse it.
  if ('text' in call && holder.id !== 0) checkText(call.text);
  switch (call.op) {
    case 'get':
      return found(store.get(call.key)) satisfies ResultOf<'get'>;
    case 'set':
      return { version: store.set(call.key, call.text, endOf(call.ttlMs), holder.account).version } satisfies ResultOf<'set'>;
    case 'delete': {
      const { version = 0 } = store.get(call.key) ?? {};
      if (call.version !== undefined && call.version !== version) return { done: false, version } satisfies ResultOf<'delete'>;
      const deleted = store.delete(call.key);
      return { done: deleted !== undefined, version: deleted ?? 0 } satisfies ResultOf<'delete'>;
    }
    case 'increment': {
      const before = store.get(call.key);
      // A key keeps its end: a program that counts the requests of one minute increments a key that lives for that minute.
      const end = before !== undefined ? before.expiresAt : endOf(call.ttlMs);
      return contentOf(store.set(call.key, sumText(call.key, before, call.by), end, holder.account)) satisfies ResultOf<'increment'>;
    }
    case 'compareAndSet': {
      const before = store.get(call.key);
      if ((before?.version ?? 0) !== call.version) return { done: false, ...found(before) } satisfies ResultOf<'compareAndSet'>;
      return { done: true, version: store.set(call.key, call.text, endOf(call.ttlMs), holder.account).version } satisfies ResultOf<'compareAndSet'>;
    }
    case 'lock': {
      checkBytes('The name of the lock', call.name, limits, 'keyBytes');
      const granted = locks.acquire(now, call.name, { holder, id: call.id, ttlMs: call.ttlMs }, call.wait);
      if (granted === 'waits') return null;
      return (granted === 'held' ? {} : { token: granted.token, expiresAt: granted.expiresAt }) satisfies ResultOf<'lock'>;
    }
    case 'renew':
      return { expiresAt: locks.renew(now, { name: call.name, token: call.token }, holder, call.ttlMs).expiresAt } satisfies ResultOf<'renew'>;
    case 'release':
      return { done: locks.release(now, call, holder) } satisfies ResultOf<'release'>;
    case 'holder': {
      const lock = locks.look(call.name);
      if (lock === undefined) return {} satisfies ResultOf<'holder'>;
      return { holder: lock.holder.id, token: lock.token, expiresAt: lock.expiresAt, waiting: lock.waiting } satisfies ResultOf<'holder'>;
    }
    default:
      return call satisfies never;
  }
}

const found = (entry: Entry | undefined): ResultOf<'get'> => (entry === undefined ? { version: 0 } : contentOf(entry));

function contentOf({ text, version, expiresAt }: Entry): ResultOf<'increment'> {
  return expiresAt === undefined ? { text, version } : { text, version, expiresAt };
}

/** Characters. JavaScript writes no number longer than 24; a worker may have sent one with more zeros than needed. */
const LONGEST_NUMBER = 64;

/** The sum as JSON text. An absent key counts as 0. */
function sumText(key: string, before: Entry | undefined, by: number): string {
  // A longer text is not parsed: it is no number, and parsing a large value for each of many calls would block the primary.
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
