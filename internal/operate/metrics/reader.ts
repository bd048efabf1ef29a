/**
 * Reads the metrics of one supervisor and its cluster, whenever somebody asks. What only events tell (reloads, the
 * requests and moves of workers that are gone) is counted from the moment on when the reader is made.
 *
 * Owns     those counts
 * Used by  endpoints.ts, which serves the text; lib/supervisor.ts, cli/,
 *          operate/app/app_primary.ts, operate/app/app_commands.ts
 * Uses     families.ts (which metrics there are), openmetrics.ts (the text), place_totals.ts, supervisor/supervisor.ts,
 *          supervisor/observers.ts
 * Keeps    a counter never goes down, whatever becomes of workers and releases
 * Costs    nothing while nobody asks, except a look at each transition of a worker. A text takes time in proportion to
 *          the number of workers; it serves again for TIMES as long as it took, so that a flood of questions takes at most
 *          a TIMES-th of a CPU for texts
 */
import type { Cluster } from 'node:cluster';
import { performance } from '../../builtins';
import { isObject } from '../../is_object';
import type { ConnectionCounts } from '../../master/connection_counters';
import type { ReloadEvent } from '../../supervisor/status';
import { observe } from '../../supervisor/observers';
import type { Supervisor } from '../../supervisor/supervisor';
import { registerPart } from '../../upgrade/registry';
import { connectionFamilies, fleetFamilies } from './families';
import { openMetricsText } from './openmetrics';
import { PlaceTotals } from './place_totals';

/** For how many times as long as it took to make, a text is given out again. */
const TIMES = 20;

/** The ends of a reload. */
const RELOADS: readonly ReloadEvent['state'][] = ['done', 'aborted', 'superseded'];

/** The metrics of one supervisor. */
export class MetricsReader {
  readonly #supervisor: Supervisor;
  readonly #cluster: Cluster;
  readonly #requests = new PlaceTotals();
  readonly #moves = new PlaceTotals();
  readonly #reloads = new Map<ReloadEvent['state'], number>();
  #earlierReloads: ReadonlyMap<ReloadEvent['state'], number> = new Map();
  #last = { text: '', until: -Infinity };

  /** Make it in the turn in which the supervisor was made, so that it misses no event. */
  constructor(supervisor: Supervisor, cluster: Cluster) {
    this.#supervisor = supervisor;
    this.#cluster = cluster;
    registerPart('metrics', {
      snapshot: () => ({ requests: [...this.#requests.totals], moves: [...this.#moves.totals], reloads: RELOADS.map((state) => [state, this.#reloadsOf(state)]) }),
      adopt: (value) => this.#adopt(value),
    });
    observe(supervisor, (event) => {
      if (event[0] === 'reload') this.#reloads.set(event[1].state, (this.#reloads.get(event[1].state) ?? 0) + 1);
      if (event[0] === 'transition') {
        const { worker, place, figures, moved, state } = event[1];
        if (worker === null) return;
        this.#note(worker, place, figures?.requests ?? null, moved);
        if (state.is !== 'gone') return;
        this.#requests.end(worker);
        this.#moves.end(worker);
      }
    });
  }

  /** null: nobody knows. */
  #note(worker: number, place: number, requests: number | null, moved: number | null): void {
    if (requests !== null) this.#requests.note(worker, place, requests);
    if (moved !== null) this.#moves.note(worker, place, moved);
  }

  #reloadsOf(state: ReloadEvent['state']): number {
    return (this.#reloads.get(state) ?? 0) + (this.#earlierReloads.get(state) ?? 0);
  }

  /** The counts of the primary before this one, perhaps of another version. They replace those of an earlier call. */
  #adopt(value: unknown): void {
    const { requests, moves, reloads } = isObject(value) ? value : {};
    if (isPairs(requests, isPlace)) this.#requests.adopt(new Map(requests));
    if (isPairs(moves, isPlace)) this.#moves.adopt(new Map(moves));
    if (isPairs(reloads, (state): state is ReloadEvent['state'] => RELOADS.some((known) => known === state))) this.#earlierReloads = new Map(reloads);
    this.#last = { text: '', until: -Infinity };
  }

  /** From now on the latency of hand-offs is measured, where the cluster can do that. */
  measureLatency(): void {
    countsOf(this.#cluster, { latency: true });
  }

  /** All metrics as of now, in the format OpenMetrics. */
  text(): string {
    const began = performance.now();
    if (began < this.#last.until) return this.#last.text;
    const status = this.#supervisor.status();
    for (const { worker, place, requests, moved } of status.workers) if (worker !== null) this.#note(worker, place, requests, moved);
    const counts = { requests: this.#requests.totals, moves: this.#moves.totals, reloads: new Map(RELOADS.map((state) => [state, this.#reloadsOf(state)])) };
    const text = openMetricsText([...connectionFamilies(countsOf(this.#cluster)), ...fleetFamilies(status, counts)]);
    const ended = performance.now();
    this.#last = { text, until: ended + TIMES * (ended - began) };
    return text;
  }
}

/** Is it a list of pairs of a key and a number? */
function isPairs<Key>(value: unknown, isKey: (key: unknown) => key is Key): value is [Key, number][] {
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && isKey(pair[0]) && typeof pair[1] === 'number');
}

const isPlace = (place: unknown): place is number => typeof place === 'number';

/** A member of our cluster that Node's does not have (D57). */
interface Counts {
  counters(options?: { readonly latency?: boolean }): ConnectionCounts;
}

const hasCounters = (cluster: Cluster): cluster is Cluster & Counts => typeof (cluster as Partial<Counts>).counters === 'function';

const countsOf = (cluster: Cluster, options?: { readonly latency?: boolean }): ConnectionCounts | null => (hasCounters(cluster) ? cluster.counters(options) : null);
