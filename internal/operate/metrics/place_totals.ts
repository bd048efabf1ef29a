/**
 * Adds up a counter of workers by place, so that the total of a place never goes down: a worker counts from 0, and the
 * worker that replaces it begins again.
 *
 *   place 1:  worker 1 counts 10, then 20, and dies; worker 5 counts 0, then 7    total: 10, 20, 20, 27
 *
 * Owns     the total of each place's workers that are gone, and the last number of each other worker
 * Used by  reader.ts
 * Keeps    1. the total of a place never goes down
 *          2. it holds one entry for each place that ever had a worker, and one for each worker that is not gone
 */

/** The totals of one counter. */
export class PlaceTotals {
  readonly #gone = new Map<number, number>();
  readonly #running = new Map<number, { readonly place: number; readonly count: number }>();

  #earlier: ReadonlyMap<number, number> = new Map();

  /** The worker with this id, in this place, has counted so far. A number that is lower than its last one is ignored. */
  note(worker: number, place: number, count: number): void {
    if (count < (this.#running.get(worker)?.count ?? 0)) return;
    this.#running.set(worker, { place, count });
    if (!this.#gone.has(place)) this.#gone.set(place, 0);
  }

  /** The worker is gone: it counts no more. */
  end(worker: number): void {
    const last = this.#running.get(worker);
    if (last === undefined) return;
    this.#running.delete(worker);
    this.#gone.set(last.place, (this.#gone.get(last.place) ?? 0) + last.count);
  }

  /** The totals of the primary before this one. They replace those of an earlier call. */
  adopt(totals: ReadonlyMap<number, number>): void {
    this.#earlier = totals;
  }

  /** The total of each place, in the order of the places. */
  get totals(): ReadonlyMap<number, number> {
    const places = [...new Set([...this.#earlier.keys(), ...this.#gone.keys()])].sort((one, other) => one - other);
    const totals = new Map(places.map((place) => [place, (this.#earlier.get(place) ?? 0) + (this.#gone.get(place) ?? 0)]));
    for (const { place, count } of this.#running.values()) totals.set(place, (totals.get(place) ?? 0) + count);
    return totals;
  }
}
