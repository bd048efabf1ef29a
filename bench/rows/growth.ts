/**
 * What a connection costs with 1, 2, 4, 8 and 16 workers: row `growth`. All ten clusters run at the
 * same time and are loaded in turn, so that 16 workers are compared with 2 in the same minutes. Before
 * that every worker has served the same number of connections: V8 optimizes each process for itself,
 * and a sixteenth of the load would be measured while it still interprets.
 */
import type { Bench } from '../bench';
import { figure, type Figure } from '../figures';
import { clusterPeer, type Peer } from '../peers';
import { closedSample, describe, type Sample } from '../samples';
import { median } from '../statistics';
import type { Row } from './row';

const COUNTS = [1, 2, 4, 8, 16];
const WARM_UP = 1;
/** Connections that each worker has served before it is measured. */
const WARM = 5000;
const WINDOW = 1;

const keyOf = (implementation: 'stock' | 'ours', workers: number): string => `${implementation}, ${workers} worker${workers === 1 ? '' : 's'}`;

export const growthRow: Row = {
  name: 'growth',
  about: 'CPU per connection with 1 to 16 workers',
  async run(bench) {
    const peers = await startAll(bench);
    for (const peer of peers.values()) await warmUp(bench, peer);
    const samples = await bench.inTurn([...peers.keys()], async (key, pair) => {
      const sample = await closedSample(bench, peers.get(key) as Peer, 'tcp', bench.seconds(WINDOW));
      bench.say(`growth ${pair + 1}/${bench.pairs} ${key}: ${describe(sample)}`);
      return sample;
    });
    await Promise.all([...peers.values()].map((peer) => peer.stop()));
    const cpu = (implementation: 'stock' | 'ours', workers: number): number[] => (samples[keyOf(implementation, workers)] as Sample[]).map((sample) => sample.cpu);
    return {
      figures: figuresOf(cpu, samples),
      charts: (['ours', 'stock'] as const).map((implementation) => ({
        title: `CPU per connection by the number of workers, ${implementation}`, unit: 'µs',
        labels: COUNTS.map((workers) => `${workers}`), values: COUNTS.map((workers) => median(cpu(implementation, workers))),
      })),
    };
  },
};

async function warmUp(bench: Bench, peer: Peer): Promise<void> {
  do await closedSample(bench, peer, 'tcp', bench.seconds(WARM_UP));
  while (Math.min(...await peer.served()) < WARM * bench.extent.scale);
}

async function startAll(bench: Bench): Promise<Map<string, Peer>> {
  const peers = new Map<string, Peer>();
  for (const workers of COUNTS) {
    for (const implementation of ['stock', 'ours'] as const) peers.set(keyOf(implementation, workers), await clusterPeer(bench, { implementation, workers }));
  }
  return peers;
}

function figuresOf(cpu: (implementation: 'stock' | 'ours', workers: number) => number[], samples: Record<string, Sample[]>): Figure[] {
  const side = (implementation: 'stock' | 'ours', workers: number) => ({ name: keyOf(implementation, workers), samples: cpu(implementation, workers) });
  const kind = { unit: 'µs', better: 'lower' } as const;
  const fairness = (implementation: 'stock' | 'ours') => ({ name: implementation, samples: (samples[keyOf(implementation, 16)] as Sample[]).map((sample) => sample.fairness) });
  return [
    figure({ id: 'growth-workers', title: 'CPU per connection of ours, 16 workers / 2', ...kind }, side('ours', 16), side('ours', 2)),
    figure({ id: 'growth-workers-stock', title: 'CPU per connection of stock, 16 workers / 2', ...kind }, side('stock', 16), side('stock', 2)),
    ...COUNTS.map((workers) => figure(
      { id: `growth-${workers}`, title: `CPU per connection, ${workers} worker${workers === 1 ? '' : 's'}`, ...kind }, side('ours', workers), side('stock', workers),
    )),
    figure({ id: 'growth-fairness', title: 'Jain\'s fairness index of 16 workers', unit: '', better: 'higher' }, fairness('ours'), fairness('stock')),
  ];
}
