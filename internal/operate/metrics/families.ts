/**
 * Every metric of a supervised primary: its name, its unit, what it means, and where its number comes from.
 *
 * Used by  reader.ts
 * Uses     openmetrics.ts (the type of a metric)
 * Never    gives a number that nobody knows: a worker that has not answered a ping has no samples, and Node's own
 *          cluster has no counters of connections
 * Decided  the label is the place, not the worker: its values are as many as there are places, however often workers
 *          are replaced. While a place has two workers (a successor, one that leaves), its memory, connections and CPU are
 *          the sum, its delay the larger one
 */
import type { ConnectionCounts } from '../../master/connection_counters';
import type { ReloadEvent, Status, WorkerStatus } from '../../supervisor/status';
import type { Family, Sample } from './openmetrics';

/** The counts since the supervisor was made. */
export interface Counts {
  /** Requests by place. */
  readonly requests: ReadonlyMap<number, number>;
  /** Connections that the workers of a place have taken over from other workers, by place; empty on Node's own cluster. */
  readonly moves: ReadonlyMap<number, number>;
  /** Reloads by how they ended. */
  readonly reloads: ReadonlyMap<ReloadEvent['state'], number>;
}

/** The counters of connections: what `cluster.counters()` calls them, their name, and their help. */
const COUNTERS: readonly (readonly [key: Exclude<keyof ConnectionCounts, 'latency'>, name: string, help: string])[] = [
  ['accepted', 'accepted', 'Connections that the primary has accepted.'],
  ['handedOff', 'handed_off', 'Hand-offs of a connection to a worker; one that came back and was handed off again counts once more.'],
  ['acknowledged', 'acknowledged', 'Connections that a worker has taken over.'],
  ['rejected', 'rejected', 'Hand-offs that a worker did not take, because it had closed its server.'],
  ['unsent', 'unsent', 'Hand-offs that could not be written to the channel of the worker.'],
  ['reclaimed', 'reclaimed', 'Hand-offs that came back because the worker died before it took the connection over.'],
  ['moved', 'moved', 'Connections that were moved from one worker to another.'],
  ['closed', 'closed', 'Connections that the primary closed, because no worker was left that could take them.'],
];

/** The metrics of connections; `counts` is null on Node's own cluster. */
export function connectionFamilies(counts: ConnectionCounts | null): Family[] {
  if (counts === null) return [];
  return [
    ...COUNTERS.map(([key, name, help]) => counter(`cluster_connections_${name}`, help, [{ value: counts[key] }])),
    gauge('cluster_connections_queued', 'Connections that wait in the primary for a worker.', [{ value: counts.queued }]),
    gauge('cluster_connections_in_flight', 'Connections that were handed to a worker and not taken over yet.', [{ value: counts.inFlight }]),
    { name: 'cluster_handoff_latency_seconds', type: 'histogram', unit: 'seconds', help: 'Time from the accept in the primary until a worker took the connection over.', histogram: counts.latency },
  ];
}

const STATES: readonly WorkerStatus['state']['is'][] = ['starting', 'ready', 'leaving', 'backing off', 'given up'];
const OUTCOMES: readonly ReloadEvent['state'][] = ['done', 'aborted', 'superseded'];

/** The metrics of the supervisor and of each place. */
export function fleetFamilies(status: Status, { requests, moves, reloads }: Counts): Family[] {
  const { desired, workers, restarts } = status;
  const places = [...new Set(workers.map(({ place }) => place))].sort((one, other) => one - other);
  const of = (figure: (worker: WorkerStatus) => number | null, join: (one: number, other: number) => number): Sample[] => places.map((place) => ({
    labels: { place: String(place) },
    value: workers.filter((worker) => worker.place === place).map(figure).filter((value) => value !== null).reduce<number | null>((one, other) => (one === null ? other : join(one, other)), null),
  }));
  const sum = (one: number, other: number): number => one + other;
  return [
    gauge('cluster_workers_desired', 'Workers that should run; 0 after a stop.', [{ value: desired }]),
    gauge('cluster_workers', 'Workers by state. Backing off, given up: places that have no worker.', STATES.map((state) => ({ labels: { state }, value: workers.filter((worker) => worker.state.is === state).length }))),
    counter('cluster_restarts', 'Workers that were started in place of one that had died, failed or reached a limit.', [{ value: restarts }]),
    counter('cluster_reloads', 'Reloads by outcome. Aborted: the new release did not work. Superseded: a stop came first.', OUTCOMES.map((outcome) => ({ labels: { outcome }, value: reloads.get(outcome) ?? 0 }))),
    counter('cluster_worker_requests', 'Requests that the workers of a place have served, up to their last answers to a ping.', byPlace(requests)),
    counter('cluster_worker_moves', 'Connections that the workers of a place have taken over from other workers.', byPlace(moves)),
    gauge('cluster_worker_connections', 'Open connections.', of(({ connections }) => connections, sum)),
    gauge('cluster_worker_event_loop_delay_seconds', 'How much too late the event loop ran what was due; the largest since the ping before.', of(({ eventLoopDelayMs }) => (eventLoopDelayMs === null ? null : eventLoopDelayMs / 1000), Math.max), 'seconds'),
    gauge('cluster_worker_resident_memory_bytes', 'Resident memory.', of(({ rss }) => rss, sum), 'bytes'),
    gauge('cluster_worker_cpu_ratio', 'CPU time used since the ping before, divided by that time: 1 is one whole CPU.', of(({ cpu }) => cpu, sum), 'ratio'),
  ];
}

const byPlace = (totals: ReadonlyMap<number, number>): Sample[] => [...totals].map(([place, value]) => ({ labels: { place: String(place) }, value }));

function gauge(name: string, help: string, samples: readonly Sample[], unit?: 'seconds' | 'bytes' | 'ratio'): Family {
  return { name, type: 'gauge', help, samples, ...(unit === undefined ? {} : { unit }) };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'counter', help, samples };
}
