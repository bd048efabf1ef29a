/**
 * The indexes of a worker's servers. Several servers of one worker on one address, port 0 above all,
 * are told apart by a number; the n-th such server of each worker shares one handle of the primary.
 *
 * Owns     which indexes of which address are in use
 * Used by  child/index.ts
 * Keeps    indexes count up while an address is in use, and start again at 0 when nothing uses it
 */
import { Map, Set } from '../builtins';

/** The number of a server among those that this worker has on the same address. */
export interface Place {
  readonly index: number;
  /** The server let go: the index is in use no more. A second call does nothing. */
  release(): void;
  /** Does this worker have any server on that address? */
  addressInUse(): boolean;
}

/** All places of one worker. */
export class Places {
  readonly #addresses = new Map<string, { next: number; readonly used: Set<number> }>();

  /** The next place at an address, which is any text that names it. */
  take(address: string): Place {
    let places = this.#addresses.get(address);
    if (places === undefined) this.#addresses.set(address, (places = { next: 0, used: new Set() }));
    const { used } = places;
    const index = places.next++;
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
