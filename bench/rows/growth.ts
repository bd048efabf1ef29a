/**
 * Row `growth`: the cost of a connection as the number of workers grows. It has two parts.
 *
 * First the curve: our cluster and stock's, each with 1, 2, 4, 8 and 16 workers. All ten clusters run at the same
 * time and are loaded in turn. Each worker has served WARM connections before.
 *
 * Then the ratio: our cluster with 16 workers against 2. Only the number of workers should differ, so:
 *
 * - V8 optimizes code in each process by itself, and each of 16 workers gets a sixteenth of the load. So every
 *   worker, of both clusters, serves HOT connections before the first window.
 * - V8 drops optimized code that a process does not use for some seconds. So the windows are short, WINDOWS of
 *   each cluster in turn make one sample, and the first SETTLING windows do not count.
 * - The kernel places 2 workers on two CPUs in another way than 16, and keeps them there for seconds. So all
 *   servers are on one CPU and the load generator on another. The ratio of the first part, where the kernel
 *   places the processes, stands beside it without a goal.
 */
import type { Bench } from '../bench';
import { figure, type Figure } from '../figures';
import type { Peer } from '../peer';
import { clusterPeer } from '../peers';
import { NOT_PINNED, pinApart } from '../pinning';
import { closedCost, closedSample, describe, sum, type Cost, type Sum } from '../samples';
import { median } from '../statistics';
import type { Result, Row } from './row';

const COUNTS = [1, 2, 4, 8, 16];
const FEW = 2;
const MANY = 16;
/** Connections that each worker has served before the first window, in the first part and in the second. */
const WARM = 1500;
const HOT = 25_000;
/** Seconds after which the second part begins although a worker has not served HOT connections; that is noted. */
const PATIENCE = 100;
/** Seconds. */
const WINDOW = 0.7;
const SHORT_WINDOW = 0.05;
const WINDOWS = 40;
/** How many windows of each cluster do not count. */
const SETTLING = 120;
const WARM_UP = 1;

const KIND = { unit: 'µs', better: 'lower' } as const;

type Side = 'stock' | 'ours';

const keyOf = (side: Side, workers: number): string => `${side}, ${workers} worker${workers === 1 ? '' : 's'}`;

export const growthRow: Row = {
  name: 'growth',
  about: 'CPU per connection with 1 to 16 workers',
  async run(bench) {
    const curve = await curveOf(bench);
    const ratio = await ratioOf(bench);
    return { ...curve, figures: [...ratio.figures, ...curve.figures], notes: ratio.notes ?? [] };
  },
};

/** Starts the clusters of these sides and sizes; all run at once. */
async function start(bench: Bench, sides: readonly Side[], counts: readonly number[]): Promise<Map<string, Peer>> {
  const peers = new Map<string, Peer>();
  for (const workers of counts) {
    for (const side of sides) peers.set(keyOf(side, workers), await clusterPeer(bench, { implementation: side, workers }));
  }
  return peers;
}

/** Ours against stock at each number of workers. */
async function curveOf(bench: Bench): Promise<Result> {
  const peers = await start(bench, ['stock', 'ours'], COUNTS);
  for (const peer of peers.values()) while (await least(peer) < WARM * bench.extent.scale) await warmUp(bench, peer);
  const measured = await bench.inTurn([...peers.keys()], async (key, pair) => {
    const sample = await closedSample(bench, peers.get(key) as Peer, 'tcp', bench.seconds(WINDOW));
    bench.say(`growth ${pair + 1}/${bench.pairs} ${key}: ${describe(sample)}`);
    return sample;
  });
  await Promise.all([...peers.values()].map((peer) => peer.stop()));
  const samples = new Map(Object.entries(measured));
  return {
    figures: [
      ...COUNTS.map((workers) => figure(
        { id: `growth-${workers}`, title: `CPU per connection, ${workers} worker${workers === 1 ? '' : 's'}`, ...KIND },
        sideOf(samples, 'cpu', 'ours', workers), sideOf(samples, 'cpu', 'stock', workers),
      )),
      grown(samples, 'growth-placed', `CPU per connection of ours, ${WARM} before per worker, placed by the kernel`, 'cpu'),
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

/** 16 workers of ours against 2. */
async function ratioOf(bench: Bench): Promise<Result> {
  const peers = await start(bench, ['ours'], [FEW, MANY]);
  const { facts: { pids: generator } } = await bench.generator();
  const pinned = pinApart(generator, [...peers.values()].flatMap(({ pids }) => pids));
  const cold = await heat(bench, [...peers.values()]);
  const samples = new Map<string, Sum[]>([...peers.keys()].map((key) => [key, []]));
  const load = (key: string): Promise<Cost> => closedCost(bench, peers.get(key) as Peer, 'tcp', bench.seconds(SHORT_WINDOW));
  await bench.inTurn([...peers.keys()], load, Math.ceil(SETTLING * bench.extent.scale));
  await bench.inParts([...peers.keys()], load, WINDOWS, (windows, pair) => {
    for (const [key, sums] of samples) sums.push(sum(windows[key] as Cost[]));
    bench.say(`growth ${pair}: ${[...samples].map(([key, sums]) => `${key} ${sums.at(-1)?.cpu.toFixed(1)} µs`).join(', ')}`);
  });
  pinned?.back();
  await Promise.all([...peers.values()].map((peer) => peer.stop()));
  const notes = [
    ...(cold === null ? [] : [`growth, ${MANY} / ${FEW}, after ${HOT} connections per worker: after ${PATIENCE} s one had served ${cold}`]),
    ...(pinned === null ? [`growth: ${NOT_PINNED}`] : []),
  ];
  return { figures: [grown(samples, 'growth-workers', 'CPU per connection of ours', 'cpu'), grown(samples, 'growth-primary', 'of it the primary\'s', 'primary')], notes };
}

/** How a quantity of ours grows from 2 workers to 16. */
function grown<Key extends string>(samples: Samples<Key>, id: string, title: string, quantity: Key): Figure {
  return figure({ id, title: `${title}, ${MANY} workers / ${FEW}`, ...KIND }, sideOf(samples, quantity, 'ours', MANY), sideOf(samples, quantity, 'ours', FEW));
}

/** Loads all peers in turn until each worker has served HOT connections: then null. After PATIENCE: the number that the last worker has served. */
async function heat(bench: Bench, peers: readonly Peer[]): Promise<number | null> {
  const deadline = performance.now() + bench.seconds(PATIENCE) * 1000;
  for (let cold = peers; ;) {
    const served = await Promise.all(cold.map(least));
    cold = cold.filter((_, at) => (served[at] as number) < HOT * bench.extent.scale);
    if (cold.length === 0) return null;
    if (performance.now() > deadline) return Math.min(...served);
    for (const peer of cold) await warmUp(bench, peer);
  }
}

async function least(peer: Peer): Promise<number> {
  return Math.min(...await peer.served());
}

async function warmUp(bench: Bench, peer: Peer): Promise<void> {
  await closedCost(bench, peer, 'tcp', bench.seconds(WARM_UP));
}

type Samples<Key extends string> = ReadonlyMap<string, readonly Record<Key, number>[]>;

function sideOf<Key extends string>(samples: Samples<Key>, quantity: Key, side: Side, workers: number): { readonly name: string; readonly samples: number[] } {
  const key = keyOf(side, workers);
  return { name: key, samples: (samples.get(key) ?? []).map((sample) => sample[quantity]) };
}
