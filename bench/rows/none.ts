/**
 * Row `none`: connections under SCHED_NONE. There a connection runs no code of ours, so it has to cost the same as
 * stock's, within two percent. On a busy machine two clusters of the same kind differ by more than that in windows
 * of one or two seconds. So:
 *
 * - Each side has two clusters, since one of them can be slow from its start to its end.
 * - A window is 50 ms long, the clusters take turns, and 25 windows of each make one sample. A disturbance that
 *   lasts longer meets both sides.
 * - All servers are on one CPU and the load generator on another, so that the kernel's placing is not measured.
 *
 * The control divides one of stock's clusters by the other. As far as it is from 1, the row shows nothing.
 */
import type { Bench } from '../bench';
import { figure, type Figure } from '../figures';
import type { Peer } from '../peer';
import { clusterPeer } from '../peers';
import { NOT_PINNED, pinApart } from '../pinning';
import { closedCost, sum, type Cost, type Sum } from '../samples';
import type { Result, Row } from './row';

const WARM_UP = 3;
const WINDOW = 0.05;
const WINDOWS = 25;
const CLUSTERS = ['stock 1', 'ours 1', 'stock 2', 'ours 2'] as const;
type Cluster = (typeof CLUSTERS)[number];

export const noneRow: Row = { name: 'none', about: 'raw TCP connections under SCHED_NONE', run };

async function run(bench: Bench): Promise<Result> {
  const peers = {} as Record<Cluster, Peer>;
  for (const name of CLUSTERS) peers[name] = await clusterPeer(bench, { implementation: name.startsWith('ours') ? 'ours' : 'stock', policy: 'none' });
  const { facts: { pids: generator } } = await bench.generator();
  const pinned = pinApart(generator, Object.values(peers).flatMap(({ pids }) => pids));
  for (const peer of Object.values(peers)) await closedCost(bench, peer, 'tcp', bench.seconds(WARM_UP));
  const samples: Record<Cluster, readonly Cost[]>[] = [];
  await bench.inParts(CLUSTERS, (name) => closedCost(bench, peers[name], 'tcp', bench.seconds(WINDOW)), WINDOWS, (sample, pair) => {
    samples.push(sample);
    bench.say(`none ${pair}: ${CLUSTERS.map((name) => `${name} ${describe(sum(sample[name]))}`).join(', ')}`);
  });
  pinned?.back();
  await Promise.all(Object.values(peers).map((peer) => peer.stop()));
  return { figures: figuresOf(samples), notes: pinned === null ? [`none: ${NOT_PINNED}`] : [] };
}

function figuresOf(samples: readonly Record<Cluster, readonly Cost[]>[]): Figure[] {
  const side = (title: string, what: keyof Sum, clusters: readonly Cluster[]) => (
    { name: title, samples: samples.map((sample) => sum(clusters.flatMap((name) => sample[name]))[what]) }
  );
  const ours = (what: keyof Sum) => side('ours NONE', what, ['ours 1', 'ours 2']);
  const stock = (what: keyof Sum) => side('stock NONE', what, ['stock 1', 'stock 2']);
  const rate = { unit: '/s', better: 'higher' } as const;
  const cpu = { unit: 'µs', better: 'lower' } as const;
  return [
    figure({ id: 'none-rate', title: 'connections/s, raw TCP, SCHED_NONE', ...rate }, ours('rate'), stock('rate')),
    figure({ id: 'none-cpu', title: 'CPU per connection, raw TCP, SCHED_NONE', ...cpu }, ours('cpu'), stock('cpu')),
    figure({ id: 'none-rate-control', title: 'control: connections/s, SCHED_NONE, stock / stock', ...rate }, side('stock 2', 'rate', ['stock 2']), side('stock 1', 'rate', ['stock 1'])),
    figure({ id: 'none-cpu-control', title: 'control: CPU per connection, SCHED_NONE, stock / stock', ...cpu }, side('stock 2', 'cpu', ['stock 2']), side('stock 1', 'cpu', ['stock 1'])),
  ];
}

function describe({ rate, cpu }: Sum): string {
  return `${Math.round(rate)}/s ${cpu.toFixed(1)} µs`;
}
