/**
 * The keys: values with versions and times to live, and the history of their changes.
 *
 * A pure state machine: it has no timer, the caller passes the time.
 *
 * Owns     the table of keys, their deadlines, the history
 * Used by  server.ts, operations.ts and carry_over.ts; feed.ts only reads
 * Keeps    1. one counter, `revision`, numbers each change of any key and each grant of a lock. The version of a
 *             key is the revision of the change that wrote it, so no version comes twice
 *          2. `bytes` is the sum over all keys. Neither it nor the number of keys goes beyond its limit
 *          3. no operation sees a key whose deadline is over: the caller calls `expire` first
 *          4. a key counts in the account of the process that wrote it last
 *          5. each change is one event of the history, in the order of revisions
 */
import type { Account } from './account';
import { Deadlines } from './deadlines';
import { History } from './history';
import type { KeyEvent, Limits } from '../protocol';
import { checkBytes, stateError } from '../values';

/** A key and its value. Never changed: a write makes a new entry. */
export interface Entry {
  readonly key: string;
  readonly text: string;
  readonly version: number;
  /** The time at which the key is removed; undefined: never. */
  readonly expiresAt: number | undefined;
  /** Of the process that wrote it. */
  readonly account: Account;
}

/** Bytes of events that the history keeps at most, so that large values cannot fill the memory of the primary. */
const HISTORY_BYTES = 16 * 1024 * 1024;

/** The table of keys. */
export class Store {
  #history: History;
  readonly #limits: Limits;
  readonly #entries = new Map<string, Entry>();
  readonly #deadlines = new Deadlines<string>();
  #bytes = 0;
  #revision: number;

  /** `revision`: the number before the first version. */
  constructor(limits: Limits, revision: number) {
    this.#limits = limits;
    this.#revision = revision;
    this.#history = new History(limits.history, HISTORY_BYTES, revision);
  }

  /** The latest changes. */
  get history(): History {
    return this.#history;
  }

  /** All entries. */
  get entries(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Takes over the keys and the events of another primary, in an empty store that was made with its revision. Limits do not apply. */
  restore(entries: readonly Entry[], floor: number, events: readonly KeyEvent[]): void {
    for (const entry of entries) {
      const size = sizeOf(entry.key, entry.text);
      entry.account.keys++;
      entry.account.bytes += size;
      this.#bytes += size;
      this.#entries.set(entry.key, entry);
      if (entry.expiresAt !== undefined) this.#deadlines.set(entry.key, entry.expiresAt);
    }
    this.#history = new History(this.#limits.history, HISTORY_BYTES, floor);
    for (const event of events) this.#history.append(event);
  }

  /** The number of the latest change. */
  get revision(): number {
    return this.#revision;
  }

  /** The number of keys. */
  get size(): number {
    return this.#entries.size;
  }

  /** The bytes of all keys and values. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the next number of the counter. */
  nextRevision(): number {
    return ++this.#revision;
  }

  /** When the next key has to be removed; Infinity if none has. */
  nextDeadline(): number {
    return this.#deadlines.next();
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** All entries whose keys begin with a prefix, in no order. */
  under(prefix: string): Entry[] {
    const all = [...this.#entries.values()];
    return prefix === '' ? all : all.filter(({ key }) => key.startsWith(prefix));
  }

  /** Writes a key for the process of this account. Throws ERR_SHARED_STATE_LIMIT; then nothing has changed. */
  set(key: string, text: string, expiresAt: number | undefined, account: Account): Entry {
    const { keys, totalBytes } = this.#limits;
    checkBytes('The key', key, this.#limits, 'keyBytes');
    checkBytes('The value', text, this.#limits, 'valueBytes');
    const before = this.#entries.get(key);
    if (before === undefined && this.#entries.size >= keys) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `There are ${keys} keys, as many as limits.keys allows`, { limit: 'keys' });
    }
    const size = sizeOf(key, text);
    const sizeBefore = before === undefined ? 0 : sizeOf(key, before.text);
    const bytes = this.#bytes + size - sizeBefore;
    if (bytes > totalBytes) {
      throw stateError('ERR_SHARED_STATE_LIMIT', `All keys and values would have ${bytes} bytes; limits.totalBytes is ${totalBytes}`, { limit: 'totalBytes' });
    }
    const own = before?.account === account;
    account.check('keysPerProcess', account.keys + (own ? 0 : 1));
    account.check('bytesPerProcess', account.bytes + size - (own ? sizeBefore : 0));
    if (before !== undefined) uncount(before);
    const entry: Entry = { key, text, version: this.nextRevision(), expiresAt, account };
    account.keys++;
    account.bytes += size;
    this.#entries.set(key, entry);
    this.#bytes = bytes;
    if (expiresAt !== undefined) this.#deadlines.set(key, expiresAt);
    else if (before?.expiresAt !== undefined) this.#deadlines.delete(key);
    this.history.append({ key, version: entry.version, text });
    return entry;
  }

  /** Removes a key. Returns the version of this change; undefined if there was no such key. */
  delete(key: string, gone: 'deleted' | 'expired' = 'deleted'): number | undefined {
    const before = this.#entries.get(key);
    if (before === undefined) return undefined;
    this.#entries.delete(key);
    this.#deadlines.delete(key);
    this.#bytes -= uncount(before);
    const event: KeyEvent = { key, version: this.nextRevision(), gone };
    this.history.append(event);
    return event.version;
  }

  /** Removes each key whose deadline is `now` or earlier. */
  expire(now: number): void {
    for (const key of this.#deadlines.due(now)) this.delete(key, 'expired');
  }
}

const sizeOf = (key: string, text: string): number => Buffer.byteLength(key) + Buffer.byteLength(text);

/** Takes a key out of the account of its last writer. Returns its bytes. */
function uncount({ key, text, account }: Entry): number {
  const size = sizeOf(key, text);
  account.keys--;
  account.bytes -= size;
  return size;
}
