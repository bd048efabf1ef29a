/**
 * The last events of the store, in order: what a watch that lags, or resumes, has missed.
 *
 * Used by  store.ts, which appends; feed.ts, whose cursors are positions in here
 * Keeps    1. positions count from the first event ever; those from `first` to `end` are remembered
 *          2. `floor` is the version of the last event that is forgotten: whoever knows everything
 *             up to there, or later, has missed nothing that is not here
 */
import type { KeyEvent } from '../protocol';

/** The remembered events. */
export class History {
  readonly #most: number;
  readonly #mostBytes: number;
  #events: (KeyEvent | null)[] = [];
  /** The position of `#events[0]`. */
  #base = 0;
  #first = 0;
  #bytes = 0;
  #floor: number;

  /** `floor`: the version before the first event. */
  constructor(most: number, mostBytes: number, floor: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
    this.#floor = floor;
  }

  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#base + this.#events.length;
  }

  get floor(): number {
    return this.#floor;
  }

  /** The event at a position between `first` and `end`. */
  at(position: number): KeyEvent {
    return this.#events[position - this.#base] as KeyEvent;
  }

  append(event: KeyEvent): void {
    this.#events.push(event);
    this.#bytes += sizeOf(event);
    while (this.end - this.#first > this.#most || (this.#bytes > this.#mostBytes && this.end - this.#first > 1)) {
      const forgotten = this.at(this.#first);
      this.#events[this.#first++ - this.#base] = null;
      this.#bytes -= sizeOf(forgotten);
      this.#floor = forgotten.version;
    }
    // Half of the array is forgotten: one copy per so many events.
    if (this.#first - this.#base > this.#most) {
      this.#events = this.#events.slice(this.#first - this.#base);
      this.#base = this.#first;
    }
  }

  /** The position of the first event after `version`; null if some of those are forgotten. */
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

/** About how many bytes an event takes, here and on the wire. */
export const sizeOf = ({ key, text }: KeyEvent): number => key.length + (text?.length ?? 0) + 48;
