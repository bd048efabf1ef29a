/**
 * One watch as the server sees it: what it still has to be told, cut into batches, and how much of
 * that may be on its way. A reader that lags costs the server a cursor; it catches up from the
 * history, and when that has forgotten too much, by a reset: all there is, then on from there.
 *
 * Owns     a position in the history, or a copy of the list of entries while a reset is under way
 * Used by  server.ts, which sends what `next` gives
 * States   new ── begin ──► reset
 *          history(cursor) ── forgotten ──► reset(entries left) ── last part ──► history(cursor)
 *          └────────────────── next: events up to the end of the history ────────▲
 * Keeps    1. the events of a watch are told in the order of their versions, each once: none is
 *             left out except by a reset, which holds its outcome
 *          2. at most WINDOW batches are unconsumed, or WINDOW_BYTES and one batch
 */
import { sizeOf } from './history';
import type { Batch, KeyEvent } from '../protocol';
import type { Entry, Store } from './store';

const WINDOW = 8;
const WINDOW_BYTES = 1024 * 1024;
const BATCH_BYTES = 256 * 1024;
/** So many batches are sent before the reader is asked how far it is. */
const ASK_EVERY = 4;

type Position =
  /** It begins with all there is, which is looked up when the message that asked for it is done. */
  | { readonly at: 'new' }
  | { readonly at: 'history'; cursor: number }
  | { readonly at: 'reset'; readonly entries: readonly Entry[]; next: number; readonly version: number; readonly cursor: number };

/** One watch. */
export class Feed {
  readonly watch: number;
  /** Wants to hear that it is current, also when nothing happens. */
  readonly beat: boolean;
  readonly #store: Store;
  readonly #prefix: string;
  #position: Position;
  #batch = 0;
  #sinceAsked = 0;
  /** Sent and not known to be consumed. */
  #unconsumed: { readonly batch: number; readonly bytes: number }[] = [];
  #unconsumedBytes = 0;

  /** `since`: a version, after which to go on if the history still has that; 'now'; or undefined, all there is first. */
  constructor(store: Store, watch: number, prefix: string, since: number | 'now' | undefined, beat: boolean) {
    this.watch = watch;
    this.beat = beat;
    this.#store = store;
    this.#prefix = prefix;
    // A version from the future is of another life of the primary.
    const cursor = since === 'now' ? store.history.end
      : since === undefined || since > store.revision ? null : store.history.after(since);
    this.#position = cursor === null ? { at: 'new' } : { at: 'history', cursor };
  }

  /** What it begins with is what there is now. */
  begin(): void {
    if (this.#position.at === 'new') this.#position = this.#reset();
  }

  /** The reader has consumed everything up to this batch. */
  consumed(batch: number): void {
    const left = this.#unconsumed.filter((sent) => sent.batch > batch);
    this.#unconsumed = left;
    this.#unconsumedBytes = left.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The next batch to send; null if there is none, or too much is on its way. `beat`: even an empty one. */
  next(now: number, beat = false): Batch | null {
    if (this.#unconsumed.length >= WINDOW || this.#unconsumedBytes >= WINDOW_BYTES) return null;
    const { history } = this.#store;
    if (this.#position.at === 'history' && this.#position.cursor < history.first) {
      // What the cursor points to is forgotten.
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
