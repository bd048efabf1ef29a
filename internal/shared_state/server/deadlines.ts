/**
 * Which of many things ends first: at most one deadline per key, the earliest found at once.
 *
 * A binary heap whose entries are not removed when a deadline is changed: an entry counts only
 * while the table has the same time for its key. Every change that adds such an entry or leaves one
 * behind looks at the bound, and builds the heap anew beyond it: a rebuild follows on as many changes as
 * it has entries, so that each change costs a logarithm on average.
 *
 * Used by  store.ts (keys with a TTL), locks.ts
 * Keeps    after every call the heap has at most twice as many entries as there are deadlines, and 64 more
 */
interface Entry<Key> { readonly at: number; readonly key: Key }

/** Deadlines by key. */
export class Deadlines<Key> {
  readonly #at = new Map<Key, number>();
  #heap: Entry<Key>[] = [];

  get size(): number {
    return this.#at.size;
  }

  /** How long the heap is; for the test of its bound. */
  get heapSize(): number {
    return this.#heap.length;
  }

  /** Gives a key its deadline, in place of the one it had. */
  set(key: Key, at: number): void {
    if (this.#at.get(key) === at) return;
    this.#at.set(key, at);
    this.#push({ at, key });
    this.#bound();
  }

  delete(key: Key): void {
    if (this.#at.delete(key)) this.#bound();
  }

  /** The earliest deadline; Infinity where there is none. */
  next(): number {
    return this.#first()?.at ?? Infinity;
  }

  /** Takes the keys out whose deadline has come, earliest first. */
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

  #first(): Entry<Key> | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#at.get(first.key) === first.at) return first;
      this.#pop();
    }
  }

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
