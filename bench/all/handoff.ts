/**
 * How long a connection takes from `accept` in the primary to the worker's acknowledgement, as a distribution. Only ours
 * counts that. It costs the primary two reads of the clock per connection, so the peer is started once more for it.
 *
 * Used by  all/run.ts
 */
import { isObject } from '../../internal/is_object';
import { inRotation, type Context } from './context';
import { closed, halfOfStock, open } from './measures';
import { startPeer } from './start';

const WINDOW = 4;
const PRELOAD = 'bench/servers/count_handoffs.js';

/** A bucket of a histogram: how many took at most so many seconds. */
interface Bucket {
  readonly upTo: number | null;
  readonly count: number;
}

export async function handoff(context: Context): Promise<void> {
  const rate = await halfOfStock(context);
  await inRotation(context, 'handoff', 1, async (row) => {
    const peer = await startPeer(row, { workers: context.workers, preload: [PRELOAD] });
    try {
      await closed(context, peer.port, context.bench.seconds(1));
      const before = readHistogram(await peer.ask());
      await open(context, peer.port, rate, context.bench.seconds(WINDOW));
      const after = readHistogram(await peer.ask());
      const buckets = after.buckets.map(({ upTo, count }, at) => ({ upTo, count: count - (before.buckets[at]?.count ?? 0) }));
      const total = buckets.at(-1)?.count ?? 0;
      if (total === 0) throw new Error('its primary handed no connection off');
      context.distributions[row.id] = buckets.map(({ upTo, count }) => ({ upTo: (upTo ?? Infinity) * 1000, share: count / total }));
      context.samples.add('handoff-mean', row.id, ((after.sum - before.sum) / total) * 1000);
      context.samples.add('handoff-p50', row.id, bound(buckets, total * 0.5));
      context.samples.add('handoff-p99', row.id, bound(buckets, total * 0.99));
    } finally {
      await peer.stop();
    }
  });
}

function isBucket(value: unknown): value is Bucket {
  return isObject(value) && (value['upTo'] === null || typeof value['upTo'] === 'number') && typeof value['count'] === 'number';
}

/** The upper bound, in milliseconds, of the first bucket that holds so many. */
export function bound(buckets: readonly Bucket[], wanted: number): number {
  return (buckets.find(({ count }) => count >= wanted)?.upTo ?? Infinity) * 1000;
}

/** Checks the histogram that servers/count_handoffs.js printed. JSON has no Infinity, so the bound of the last bucket is null. */
function readHistogram(said: unknown): { readonly buckets: readonly Bucket[]; readonly sum: number } {
  const latency = isObject(said) ? said['latency'] : undefined;
  if (isObject(latency)) {
    const { buckets, sum } = latency;
    if (Array.isArray(buckets) && buckets.every(isBucket) && typeof sum === 'number') return { buckets, sum };
  }
  throw new Error(`it printed ${JSON.stringify(said)} instead of a histogram`);
}
