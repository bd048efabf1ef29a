/**
 * What a connection costs with more workers: row `growth`, in two parts.
 *
 * With 1, 2, 4, 8 and 16 workers, ours and stock: all ten clusters run at the same time and are loaded
 * in turn, for the chart.
 *
 * With 16 workers against 2: ours, and the floor, which is 16 Node processes behind one that accepts,
 * with no cluster code between. What the floor grows by is what 16 processes on this machine's CPUs
 * cost each other in caches and page faults; no cluster can take it away. So the same is said of the
 * primary alone, where the cluster's own work is.
 *
 * V8 optimizes each process for itself, and takes back what a process does not use for some seconds.
 * With 16 workers each has a sixteenth of the load: it would be measured while it still interprets
 * and its heap grows, where one of two is done with that. So what comes before a window is counted in
 * connections per worker, the same for 16 as for 2: WARM in the first part, HOT in the second, where
 * costs go down until about 25,000, and AHEAD more just before each window.
 */
import type { Bench } from '../bench';
import { figure, type Chart, type Figure } from '../figures';
import { clusterPeer, floorPeer, type Peer } from '../peers';
import { closedSample, describe, type Sample } from '../samples';
import { median } from '../statistics';
import type { Row } from './row';

const COUNTS = [1, 2, 4, 8, 16];
const FEW = 2;
const MANY = 16;
/** Connections that each worker has served before the first window, in the first part and in the second. */
const WARM = 5000;
const HOT = 25_000;
/** And just before each window of the second part. */
const AHEAD = 5000;
/** Seconds. */
const WINDOW = 0.7;
const LONG_WINDOW = 2;
const WARM_UP = 1;

const KIND = { unit: 'µs', better: 'lower' } as const;

type Side = 'stock' | 'ours' | 'floor';
type Samples = (side: Side, workers: number) => readonly Sample[];

const keyOf = (side: Side, workers: number): string => `${side}, ${workers} worker${workers === 1 ? '' : 's'}`;

export const growthRow: Row = {
  name: 'growth',
  about: 'CPU per connection with 1 to 16 workers',
  async run(bench) {
    const curve = curveOf(await measured(bench, { sides: ['stock', 'ours'], counts: COUNTS, warm: WARM, ahead: 0, window: WINDOW }));
    const ratio = ratioOf(await measured(bench, { sides: ['ours', 'floor'], counts: [FEW, MANY], warm: HOT, ahead: AHEAD, window: LONG_WINDOW }));
    return { figures: [...ratio, ...curve.figures], charts: curve.charts };
  },
};

interface Part {
  readonly sides: readonly Side[];
  readonly counts: readonly number[];
  /** Connections per worker beforehand. */
  readonly warm: number;
  /** Connections per worker just before each window. */
  readonly ahead: number;
  /** Seconds. */
  readonly window: number;
}

async function measured(bench: Bench, { sides, counts, warm, ahead, window }: Part): Promise<Samples> {
  const peers = new Map<string, Peer>();
  for (const workers of counts) {
    for (const side of sides) peers.set(keyOf(side, workers), await start(bench, side, workers));
  }
  for (const peer of peers.values()) await warmUp(bench, peer, warm);
  const samples = await bench.inTurn([...peers.keys()], async (key, pair) => {
    const peer = peers.get(key) as Peer;
    if (ahead > 0) await warmUp(bench, peer, ahead);
    const sample = await closedSample(bench, peer, 'tcp', bench.seconds(window));
    bench.say(`growth ${pair + 1}/${bench.pairs} ${key}: ${describe(sample)}`);
    return sample;
  });
  await Promise.all([...peers.values()].map((peer) => peer.stop()));
  return (side, workers) => samples[keyOf(side, workers)] as Sample[];
}

function start(bench: Bench, side: Side, workers: number): Promise<Peer> {
  return side === 'floor' ? floorPeer(bench, 'tcp', workers) : clusterPeer(bench, { implementation: side, workers });
}

/** The load of the windows, until each worker has served so many connections more. */
async function warmUp(bench: Bench, peer: Peer, connections: number): Promise<void> {
  const least = async (): Promise<number> => Math.min(...await peer.served());
  const enough = (await least()) + connections * bench.extent.scale;
  do await closedSample(bench, peer, 'tcp', bench.seconds(WARM_UP));
  while (await least() < enough);
}

type Quantity = 'cpu' | 'primary' | 'fairness';

function sideOf(samples: Samples, quantity: Quantity, side: Side, workers: number): { readonly name: string; readonly samples: number[] } {
  return { name: keyOf(side, workers), samples: samples(side, workers).map((sample) => sample[quantity]) };
}

function grown(id: string, title: string, quantity: Quantity, samples: Samples, side: Side): Figure {
  return figure({ id, title: `${title}, ${MANY} workers / ${FEW}`, ...KIND }, sideOf(samples, quantity, side, MANY), sideOf(samples, quantity, side, FEW));
}

/** 16 workers against 2. */
function ratioOf(samples: Samples): Figure[] {
  return [
    grown('growth-workers', 'CPU per connection of ours', 'cpu', samples, 'ours'),
    grown('growth-primary', 'of it the primary\'s', 'primary', samples, 'ours'),
    grown('growth-workers-floor', 'CPU per connection of the floor', 'cpu', samples, 'floor'),
    figure({ id: 'growth-of-floor', title: `CPU per connection, ${MANY} workers, ours / the floor`, ...KIND }, sideOf(samples, 'cpu', 'ours', MANY), sideOf(samples, 'cpu', 'floor', MANY)),
  ];
}

/** Ours against stock at each number of workers, and how stock grows. */
function curveOf(samples: Samples): { readonly figures: Figure[]; readonly charts: Chart[] } {
  return {
    figures: [
      ...COUNTS.map((workers) => figure(
        { id: `growth-${workers}`, title: `CPU per connection, ${workers} worker${workers === 1 ? '' : 's'}`, ...KIND },
        sideOf(samples, 'cpu', 'ours', workers), sideOf(samples, 'cpu', 'stock', workers),
      )),
      grown('growth-workers-stock', `CPU per connection of stock, ${WARM} served before`, 'cpu', samples, 'stock'),
      figure(
        { id: 'growth-fairness', title: `Jain's fairness index of ${MANY} workers`, unit: '', better: 'higher' },
        sideOf(samples, 'fairness', 'ours', MANY), sideOf(samples, 'fairness', 'stock', MANY),
      ),
    ],
    charts: (['ours', 'stock'] as const).map((side) => ({
      title: `CPU per connection by the number of workers, ${side}`, unit: 'µs',
      labels: COUNTS.map((workers) => `${workers}`), values: COUNTS.map((workers) => median(sideOf(samples, 'cpu', side, workers).samples)),
    })),
  };
}
