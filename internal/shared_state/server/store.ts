/**
 * The keys: values with versions and times to live, and the history of what happened to them. A
 * pure state machine: time comes in as `now`, nothing here waits.
 *
 * Owns     the table of keys, their deadlines, the history
 * Used by  server.ts; feed.ts reads
 * Keeps    1. one counter, `revision`, numbers every change of any key and every grant of a lock;
 *             a key's version is the revision at which it was written, so it never comes twice
 *          2. `bytes` is the sum over all keys; neither it nor the count is ever beyond its limit
 *          3. an operation at `now` sees no key whose deadline is `now` or earlier (`expire` first)
 *          4. every key counts in the account of its last writer, until it is written by another or gone
 *          5. every change is one event of the history, in the order of revisions
 */
import type { Account } from './account';
import { Deadlines } from './deadlines';
import { History } from './history';
import type { KeyEvent, Limits } from '../protocol';
import { checkBytes, stateError } from '../values';

/** A key that is there. */
export interface Entry {
  readonly key: string;
  readonly text: string;
  readonly version: number;
  /** undefined: it stays until it is deleted. */
  readonly expiresAt: number | undefined;
  /** The account of the process that wrote it. */
  readonly account: Account;
}

/** How many bytes of events are remembered, at most. */
const HISTORY_BYTES = 16 * 1024 * 1024;

/** The table of keys. */
export class Store {
  readonly history: History;
  readonly #limits: Limits;
  readonly #entries = new Map<string, Entry>();
  readonly #deadlines = new Deadlines<string>();
  #bytes = 0;
  #revision: number;

  /** `revision`: the number before the first version. */
  constructor(limits: Limits, revision: number) {
    this.#limits = limits;
    this.#revision = revision;
    this.history = new History(limits.history, HISTORY_BYTES, revision);
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A new number of the one counter. */
  nextRevision(): number {
    return ++this.#revision;
  }

  /** When the next key ends; Infinity if none does. */
  nextDeadline(): number {
    return this.#deadlines.next();
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** Everything under a prefix, in no order. The entries never change: a write makes a new one. */
  under(prefix: string): Entry[] {
    const all = [...this.#entries.values()];
    return prefix === '' ? all : all.filter(({ key }) => key.startsWith(prefix));
  }

  /** Writes a key for the process of that account; without `expiresAt` it stays. Throws ERR_SHARED_STATE_LIMIT, and has changed nothing then. */
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
    if (before !== undefined) credit(before);
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

  /** Takes a key out; the version of that, or undefined if there was no such key. */
  delete(key: string, gone: 'deleted' | 'expired' = 'deleted'): number | undefined {
    const before = this.#entries.get(key);
    if (before === undefined) return undefined;
    this.#entries.delete(key);
    this.#deadlines.delete(key);
    this.#bytes -= credit(before);
    const event: KeyEvent = { key, version: this.nextRevision(), gone };
    this.history.append(event);
    return event.version;
  }

  /** Takes out every key whose time has come. */
  expire(now: number): void {
    for (const key of this.#deadlines.due(now)) this.delete(key, 'expired');
  }
}

const sizeOf = (key: string, text: string): number => Buffer.byteLength(key) + Buffer.byteLength(text);

/** The key no longer counts for its last writer; how many bytes it had. */
function credit({ key, text, account }: Entry): number {
  const size = sizeOf(key, text);
  account.keys--;
  account.bytes -= size;
  return size;
}
