/**
 * The latest events of the store, in order. A watch that lags or resumes reads from here what it has missed.
 *
 * Used by  store.ts, which appends; feed.ts, which reads by position; server.ts, for `sizeOf`
 * Keeps    1. positions count all events since the store was made. The events from position `first` up to, not
 *             including, `end` are kept; older ones are dropped
 *          2. `floor` is the version of the latest event that was dropped. A reader that knows everything up to
 *             `floor` finds all that it has missed in here
 */
import type { KeyEvent } from '../protocol';

/** The latest events. */
export class History {
  readonly #most: number;
  readonly #mostBytes: number;
  /** The kept events. Before them stand nulls: the places of events that were dropped since the array was last shortened. */
  #events: (KeyEvent | null)[] = [];
  /** The position of `#events[0]`. */
  #base = 0;
  #first = 0;
  #bytes = 0;
  #floor: number;

  /** Keeps at most `most` events and `mostBytes` bytes, but always the latest event. `floor`: the version before the first event. */
  constructor(most: number, mostBytes: number, floor: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
    this.#floor = floor;
  }

  /** The position of the oldest event that is kept. */
  get first(): number {
    return this.#first;
  }

  /** The position of the next event. */
  get end(): number {
    return this.#base + this.#events.length;
  }

  /** The version of the latest event that was dropped. */
  get floor(): number {
    return this.#floor;
  }

  /** The event at a position from `first` on, before `end`. */
  at(position: number): KeyEvent {
    return this.#events[position - this.#base] as KeyEvent;
  }

  /** Adds the latest event, and drops the oldest ones if there are too many. */
  append(event: KeyEvent): void {
    this.#events.push(event);
    this.#bytes += sizeOf(event);
    while (this.end - this.#first > this.#most || (this.#bytes > this.#mostBytes && this.end - this.#first > 1)) {
      const dropped = this.at(this.#first);
      this.#events[this.#first++ - this.#base] = null;
      this.#bytes -= sizeOf(dropped);
      this.#floor = dropped.version;
    }
    // The nulls at the start are removed all together when there are as many as events are kept: one copy per `most` events.
    if (this.#first - this.#base > this.#most) {
      this.#events = this.#events.slice(this.#first - this.#base);
      this.#base = this.#first;
    }
  }

  /** The position of the first event after `version`; null if some of the events after it were dropped. */
  after(version: number): number | null {
    if (version < this.#floor) return null;
    let low = this.#first;
    let high = this.end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle).version > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Estimates the bytes of an event, in memory and on the wire. 48: the names of its fields and the version. */
export const sizeOf = ({ key, text }: KeyEvent): number => key.length + (text?.length ?? 0) + 48;
