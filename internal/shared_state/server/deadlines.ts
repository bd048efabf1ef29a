/**
 * Deadlines of keys and locks: one per key, and the earliest is found at once.
 *
 * They are in a binary heap. A deadline that is changed or deleted leaves its old entry in the heap, because
 * finding that entry would take long. So an entry counts only if the table has the same time for its key; other
 * entries are dropped when they reach the top. When too many of them have gathered, the heap is built anew from
 * the table. That happens at most once in as many changes as the heap has entries, so a change takes
 * logarithmic time on average.
 *
 * Used by  store.ts (keys with a time to live), locks.ts (leases)
 * Keeps    after each call the heap has at most twice as many entries as there are deadlines, plus 64
 */
interface Entry<Key> { readonly at: number; readonly key: Key }

/** A table of deadlines. Times are milliseconds of one clock, which the caller chooses. */
export class Deadlines<Key> {
  readonly #at = new Map<Key, number>();
  #heap: Entry<Key>[] = [];

  get size(): number {
    return this.#at.size;
  }

  /** The number of entries in the heap, for a test. */
  get heapSize(): number {
    return this.#heap.length;
  }

  /** Sets the deadline of a key, in place of its old one. */
  set(key: Key, at: number): void {
    if (this.#at.get(key) === at) return;
    this.#at.set(key, at);
    this.#push({ at, key });
    this.#bound();
  }

  delete(key: Key): void {
    if (this.#at.delete(key)) this.#bound();
  }

  /** The earliest deadline; Infinity if there is none. */
  next(): number {
    return this.#first()?.at ?? Infinity;
  }

  /** Removes the keys whose deadline is `now` or earlier, and returns them, the earliest first. */
  due(now: number): Key[] {
    const due: Key[] = [];
    for (let first = this.#first(); first !== undefined && first.at <= now; first = this.#first()) {
      this.#pop();
      this.#at.delete(first.key);
      due.push(first.key);
    }
    this.#bound();
    return due;
  }

  /** The first entry that counts. */
  #first(): Entry<Key> | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#at.get(first.key) === first.at) return first;
      this.#pop();
    }
  }

  /** Builds the heap anew if too many of its entries do not count. */
  #bound(): void {
    if (this.#heap.length <= 2 * this.#at.size + 64) return;
    // A sorted array is a heap.
    this.#heap = [...this.#at].map(([key, at]) => ({ at, key })).sort((one, other) => one.at - other.at);
  }

  #push(entry: Entry<Key>): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Entry<Key>).at <= entry.at) break;
      heap[at] = heap[parent] as Entry<Key>;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Entry<Key>).at < (heap[child] as Entry<Key>).at) child++;
      if ((heap[child] as Entry<Key>).at >= last.at) break;
      heap[at] = heap[child] as Entry<Key>;
      at = child;
    }
    heap[at] = last;
  }
}
