/**
 * One watch on the server's side: which events it has still to send, in batches, and how many may be on their way.
 *
 * A reader that lags costs the server only a position in the history, and no queue. If the history has dropped
 * the events at that position, the watch gets a reset instead: all keys as they are now, then the events since.
 *
 * Owns     a position in the history, or the list of keys that a reset has still to send
 * Used by  server.ts, which sends the batches that `next` returns; carry_over.ts
 * States   new ── begin ──► reset
 *          history(cursor) ── the history has dropped the event at cursor ──► reset(entries)
 *          reset(entries) ── next: the last batch of the reset ──► history(cursor)
 * Keeps    1. a watch gets events in the order of their versions, each once. Events are left out only by a
 *             reset, which shows their outcome
 *          2. at most WINDOW batches are not consumed; none is sent while WINDOW_BYTES or more are not consumed
 */
import { sizeOf } from './history';
import type { Batch, KeyEvent } from '../protocol';
import type { FeedSnapshot } from './snapshot';
import type { Entry, Store } from './store';

/** Batches that may be on their way to one reader: enough to keep it busy while its `consumed` travels back. */
const WINDOW = 8;
/** Bytes that may be on their way to one reader, so that a slow one does not fill the channel with events. */
const WINDOW_BYTES = 1024 * 1024;
/** Bytes after which a batch is complete: a quarter of WINDOW_BYTES, so that several can be on their way. */
const BATCH_BYTES = 256 * 1024;
/** The server asks for a `consumed` with each fourth batch, half of WINDOW: it can arrive before the window is full. */
const ASK_EVERY = 4;

type Position =
  /** The watch has sent nothing yet, and begins with a reset. server.ts calls `begin` after all calls of the client's message. */
  | { readonly at: 'new' }
  | { readonly at: 'history'; cursor: number }
  | { readonly at: 'reset'; readonly entries: readonly Entry[]; next: number; readonly version: number; readonly cursor: number };

/** One watch. Made by server.ts. */
export class Feed {
  readonly watch: number;
  /** The client wants a batch each second even if nothing happens: a replica learns from it that it is current. */
  readonly beat: boolean;
  readonly #store: Store;
  readonly #prefix: string;
  #position: Position;
  #batch = 0;
  #sinceAsked = 0;
  /** Batches that were sent and whose `consumed` has not come. */
  #unconsumed: { readonly batch: number; readonly bytes: number }[] = [];
  #unconsumedBytes = 0;

  /** `since`: a version to continue after, if the history still has the events since then; 'now': only later events; undefined: a reset first. `batch`: the number of the last batch that was sent to this watch. */
  constructor(store: Store, watch: number, prefix: string, since: number | 'now' | undefined, beat: boolean, batch = 0) {
    this.watch = watch;
    this.beat = beat;
    this.#batch = batch;
    this.#store = store;
    this.#prefix = prefix;
    // A version that this store has not reached yet was given by an earlier primary.
    const cursor = since === 'now' ? store.history.end
      : since === undefined || since > store.revision ? null : store.history.after(since);
    this.#position = cursor === null ? { at: 'new' } : { at: 'history', cursor };
  }

  /** For the primary that replaces this one: it goes on after the latest version that was sent. */
  snapshot(): FeedSnapshot {
    const { history, revision } = this.#store;
    const position = this.#position;
    const isBefore = position.at === 'history' && position.cursor > history.first;
    const since = position.at !== 'history' || position.cursor < history.first ? null
      : position.cursor === history.end ? revision : isBefore ? history.at(position.cursor - 1).version : history.floor;
    return { watch: this.watch, prefix: this.#prefix, since, beat: this.beat, batch: this.#batch };
  }

  /** Lists the keys with which a new watch begins. */
  begin(): void {
    if (this.#position.at === 'new') this.#position = this.#reset();
  }

  /** The program has taken all events up to this batch. */
  consumed(batch: number): void {
    const left = this.#unconsumed.filter((sent) => sent.batch > batch);
    this.#unconsumed = left;
    this.#unconsumedBytes = left.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The next batch to send; null if there is none, or if too much is on its way. `beat`: send a batch even without events. */
  next(now: number, beat = false): Batch | null {
    if (this.#unconsumed.length >= WINDOW || this.#unconsumedBytes >= WINDOW_BYTES) return null;
    const { history } = this.#store;
    if (this.#position.at === 'history' && this.#position.cursor < history.first) {
      this.#position = this.#reset();
    }
    const events: KeyEvent[] = [];
    let bytes = 0;
    const position = this.#position.at === 'new' ? this.#position = this.#reset() : this.#position;
    if (position.at === 'reset') {
      const { entries, version, cursor } = position;
      while (position.next < entries.length && bytes < BATCH_BYTES) {
        const { key, text, version: written } = entries[position.next++] as Entry;
        const event = { key, text, version: written };
        events.push(event);
        bytes += sizeOf(event);
      }
      const last = position.next === entries.length;
      if (last) this.#position = { at: 'history', cursor };
      return this.#send(events, bytes, last ? 'last' : 'part', version, now, last && cursor === history.end);
    }
    while (position.cursor < history.end && bytes < BATCH_BYTES) {
      const event = history.at(position.cursor++);
      if (!event.key.startsWith(this.#prefix)) continue;
      events.push(event);
      bytes += sizeOf(event);
    }
    if (events.length === 0 && !beat) return null;
    const current = position.cursor === history.end;
    const version = current ? this.#store.revision : history.at(position.cursor - 1).version;
    return this.#send(events, bytes, undefined, version, now, current);
  }

  #send(events: readonly KeyEvent[], bytes: number, reset: Batch['reset'], version: number, time: number, current: boolean): Batch {
    const batch = ++this.#batch;
    this.#unconsumed.push({ batch, bytes });
    this.#unconsumedBytes += bytes;
    const full = this.#unconsumed.length >= WINDOW || this.#unconsumedBytes >= WINDOW_BYTES;
    const ask = ++this.#sinceAsked >= ASK_EVERY || full;
    if (ask) this.#sinceAsked = 0;
    return { watch: this.watch, batch, events, ...(reset && { reset }), version, time, current, ask };
  }

  #reset(): Position & { at: 'reset' } {
    const { history, revision } = this.#store;
    return { at: 'reset', entries: this.#store.under(this.#prefix), next: 0, version: revision, cursor: history.end };
  }
}
