/**
 * Counts the connections that a primary accepts, and how each of them ends: one object for all addresses of one primary.
 *
 *   accepted ──► queued ── handed off ──► in flight ── acknowledged ──► the worker's
 *                  ▲                        │    └──── untold, or nobody listens there any more ──► closed
 *                  └─ rejected, unsent, ────┘
 *                     reclaimed
 *
 *   returned: a worker has given back a connection that it had; it is queued again, and moved when another one has it
 *
 *   When this primary has replaced another one (upgrade/), the numbers of that one are added to its own.
 *
 * Owns     the numbers, and while latency is measured the time at which each connection in the primary was accepted
 * Used by  index.ts, which makes one and reads it; listen_table.ts, which passes it on; round_robin_handle.ts, which counts
 * Keeps    1. no number ever goes down, except `queued` and `inFlight`
 *          2. accepted + returned = acknowledged + closed + queued + inFlight, whenever no event of a connection runs
 *          3. handedOff = acknowledged + rejected + unsent + reclaimed + untold + inFlight, likewise
 *          4. a connection has an entry in `#acceptedAt` only while it is queued or in flight
 * Costs    five additions for each connection, and nothing is allocated. While latency is measured, also two reads of the
 *          clock and one entry of a Map that is removed again
 * Node     counts nothing (D57)
 */
import { Array, Map, performance, push } from '../builtins';
import type { NativeHandle } from '../native/bindings';
import type { Outcome } from './peer';

/** A histogram of the times that connections took from `accept` to the acknowledgement, in seconds. */
export interface Latency {
  /** `upTo` is the upper bound of a bucket; `count` is the number of connections that took that long or less. The last one is Infinity. */
  readonly buckets: readonly { readonly upTo: number; readonly count: number }[];
  /** The sum of all times. */
  readonly sum: number;
  readonly count: number;
}

/** The result of `cluster.counters()`: numbers of connections since this process became a primary. */
export interface ConnectionCounts {
  /** Accepted by the primary. */
  readonly accepted: number;
  /** Sent to a worker. A connection that comes back and is sent again counts once more. */
  readonly handedOff: number;
  /** Taken over by a worker. */
  readonly acknowledged: number;
  /** Sent to a worker that did not take it: it had closed its server. */
  readonly rejected: number;
  /** Could not be written to the channel of a worker. */
  readonly unsent: number;
  /** Came back because the worker died before it acknowledged. */
  readonly reclaimed: number;
  /** Closed in flight, because this process ended the worker's channel and cannot know whether the worker took it. */
  readonly untold: number;
  /** Closed by the primary without a worker: `untold` ones, and those of an address at which nobody listens any more. */
  readonly closed: number;
  /** Given back by a worker that had it. */
  readonly returned: number;
  /** Of the returned ones: taken over by another worker. */
  readonly moved: number;
  /** Waiting in the primary now. */
  readonly queued: number;
  /** Sent to a worker, and not yet acknowledged, now. */
  readonly inFlight: number;
  /** From `accept` to the acknowledgement; null if nobody has asked for it. */
  readonly latency: Latency | null;
}

/** The upper bounds of the buckets, in seconds: an idle worker acknowledges in 100 µs, one that is busy or stuck takes up to seconds. */
const BOUNDS: readonly number[] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The numbers that only grow. */
const GROWING = ['accepted', 'handedOff', 'acknowledged', 'rejected', 'unsent', 'reclaimed', 'untold', 'closed', 'returned', 'moved'] as const;
type Growing = Readonly<Record<(typeof GROWING)[number], number>>;

const none: Growing = { accepted: 0, handedOff: 0, acknowledged: 0, rejected: 0, unsent: 0, reclaimed: 0, untold: 0, closed: 0, returned: 0, moved: 0 };

/** The counts of another primary. `took` and `sum` (ms) belong to its histogram. */
interface Earlier extends Growing {
  readonly took: readonly number[];
  readonly sum: number;
}

/** The counters of one primary. */
export class ConnectionCounters {
  #accepted = 0;
  #handedOff = 0;
  #acknowledged = 0;
  #rejected = 0;
  #unsent = 0;
  #reclaimed = 0;
  #untold = 0;
  #closed = 0;
  #returned = 0;
  #moved = 0;
  #inFlight = 0;
  /** When each connection was accepted, in milliseconds of `performance.now()`; null: latency is not measured. */
  #acceptedAt: Map<NativeHandle, number> | null = null;
  /**
   * The number of connections in each bucket: their times are up to the bound at the same index, and above the bound before
   * it. The last bucket has those above all bounds.
   */
  readonly #took: number[] = [...BOUNDS.map(() => 0), 0];
  /** The sum of the times, in milliseconds. */
  #sum = 0;
  /** The numbers of the primary before this one. */
  #earlier: Earlier = { ...none, took: [], sum: 0 };

  /** From now on latency is measured, until the process ends. */
  measureLatency(): void {
    this.#acceptedAt ??= new Map();
  }

  accepted(connection: NativeHandle): void {
    this.#accepted++;
    if (this.#acceptedAt !== null) this.#acceptedAt.set(connection, performance.now());
  }

  handedOff(): void {
    this.#handedOff++;
    this.#inFlight++;
  }

  /** A hand-off has ended. A connection that is closed now, without a worker, is counted by `closed` as well. */
  ended(connection: NativeHandle, outcome: Outcome): void {
    this.#inFlight--;
    switch (outcome) {
      case 'accepted':
        this.#acknowledged++;
        if (this.#acceptedAt !== null) this.#measure(connection, this.#acceptedAt);
        return;
      case 'rejected': this.#rejected++; return;
      case 'unsent': this.#unsent++; return;
      case 'lost': this.#reclaimed++; return;
      case 'untold': this.#untold++; return;
    }
  }

  /** A worker has given a connection back. Its latency is not measured: nobody accepted it just now. */
  returned(): void {
    this.#returned++;
  }

  /** Another worker has a returned connection. */
  moved(): void {
    this.#moved++;
  }

  /** The primary has closed this connection, and no worker has it, as far as the primary knows. */
  closed(connection: NativeHandle): void {
    this.#closed++;
    this.#acceptedAt?.delete(connection);
  }

  /** `count` connections were given to another primary, and have ended with it. */
  gone(count: number): void {
    this.#closed += count;
  }

  #measure(connection: NativeHandle, acceptedAt: Map<NativeHandle, number>): void {
    const at = acceptedAt.get(connection);
    if (at === undefined) return; // It was accepted before somebody asked for latency.
    acceptedAt.delete(connection);
    const ms = performance.now() - at;
    this.#sum += ms;
    let bucket = 0;
    while (bucket < BOUNDS.length && ms > (BOUNDS[bucket] as number) * 1000) bucket++;
    (this.#took[bucket] as number)++;
  }

  /** For the primary that replaces this one. */
  snapshot(): Earlier {
    const { latency: _, ...counts } = this.read(0);
    return { ...counts, took: this.#took.map((count, at) => count + (this.#earlier.took[at] ?? 0)), sum: this.#sum + this.#earlier.sum };
  }

  /** `value`: the snapshot of the primary before this one. It replaces an earlier one. */
  adopt(value: unknown): void {
    if (isEarlier(value)) this.#earlier = value;
  }

  /** The numbers as of now. `queued`: the number of connections that wait in the queues, which the caller knows. */
  read(queued: number): ConnectionCounts {
    const before = this.#earlier;
    return {
      accepted: this.#accepted + before.accepted,
      handedOff: this.#handedOff + before.handedOff,
      acknowledged: this.#acknowledged + before.acknowledged,
      rejected: this.#rejected + before.rejected,
      unsent: this.#unsent + before.unsent,
      reclaimed: this.#reclaimed + before.reclaimed,
      untold: this.#untold + before.untold,
      closed: this.#closed + before.closed,
      returned: this.#returned + before.returned,
      moved: this.#moved + before.moved,
      queued,
      inFlight: this.#inFlight,
      latency: this.#acceptedAt === null ? null : this.#latency(),
    };
  }

  #latency(): Latency {
    const buckets: { upTo: number; count: number }[] = [];
    let count = 0;
    for (let at = 0; at <= BOUNDS.length; at++) {
      count += (this.#took[at] as number) + (this.#earlier.took[at] ?? 0);
      push(buckets, { upTo: BOUNDS[at] ?? Infinity, count });
    }
    return { buckets, sum: (this.#sum + this.#earlier.sum) / 1000, count };
  }
}

/** Another version may have sent it. */
function isEarlier(value: unknown): value is Earlier {
  if (typeof value !== 'object' || value === null) return false;
  const { took, sum, ...counts } = value as Partial<Record<string, unknown>>;
  return Array.isArray(took) && took.every((one) => typeof one === 'number') && typeof sum === 'number' && GROWING.every((name) => typeof counts[name] === 'number');
}
