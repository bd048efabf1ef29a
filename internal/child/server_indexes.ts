/**
 * Numbers a worker's servers on the same address. A worker may have several, mostly on port 0. The n-th
 * such server of each worker has the index n, and all of these share one handle of the primary.
 *
 * Owns     the table of the indexes in use, by address
 * Used by  listening.ts
 * Keeps    indexes count up as long as an address is in use, and start again at 0 when no server uses it
 */
import { Map, Set } from '../builtins';

/** The index of one server among those that this worker has on the same address. */
export interface ServerIndex {
  readonly index: number;
  /** The server is closed: its index is free. A second call does nothing. */
  release(): void;
  /** Has this worker any server on that address? */
  addressInUse(): boolean;
}

/** All server indexes of one worker. */
export class ServerIndexes {
  readonly #addresses = new Map<string, { next: number; readonly used: Set<number> }>();

  /** The next index at an address. `address` is a text that identifies it. */
  take(address: string): ServerIndex {
    let indexes = this.#addresses.get(address);
    if (indexes === undefined) this.#addresses.set(address, (indexes = { next: 0, used: new Set() }));
    const { used } = indexes;
    const index = indexes.next++;
    used.add(index);
    return {
      index,
      addressInUse: () => this.#addresses.has(address),
      release: () => {
        used.delete(index);
        if (used.size === 0 && this.#addresses.get(address)?.used === used) this.#addresses.delete(address);
      },
    };
  }
}
