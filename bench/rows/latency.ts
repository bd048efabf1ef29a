/**
 * Row `latency`: latency at half of stock Node's capacity on this machine, which is measured first. Connections
 * arrive at a fixed rate, whatever the server does.
 */
import type { Bench } from '../bench';
import { figure } from '../figures';
import { clusterPeer } from '../peers';
import { closedSample, openSample } from '../samples';
import { median } from '../statistics';
import type { Peer } from '../peer';
import type { Row } from './row';

const CAPACITY_WINDOW = 1;
/** Short, and three windows of each side per pair of the run: a hiccup of the machine spoils the p99 of one window only. */
const WINDOW = 0.7;
const PER_PAIR = 3;

/** Connections per second that a peer serves under a closed load: the median of three windows. */
export async function capacityOf(bench: Bench, peer: Peer): Promise<number> {
  await closedSample(bench, peer, 'tcp', bench.seconds(CAPACITY_WINDOW));
  const rates: number[] = [];
  for (let window = 0; window < 3; window++) rates.push((await closedSample(bench, peer, 'tcp', bench.seconds(CAPACITY_WINDOW))).rate);
  return median(rates);
}

export const latencyRow: Row = {
  name: 'latency',
  about: 'latency at half of stock\'s capacity',
  async run(bench) {
    const peers = {
      stock: await clusterPeer(bench, { implementation: 'stock' }),
      ours: await clusterPeer(bench, { implementation: 'ours' }),
    };
    const rate = Math.round((await capacityOf(bench, peers.stock)) / 2);
    await capacityOf(bench, peers.ours); // As warm as stock.
    const rounds = bench.pairs * PER_PAIR;
    const samples = await bench.inTurn(['stock', 'ours'], async (name, pair) => {
      const sample = await openSample(bench, peers[name], rate, bench.seconds(WINDOW));
      bench.say(`latency ${pair + 1}/${rounds} ${name} at ${rate}/s: p50 ${sample.p50.toFixed(2)} p99 ${sample.p99.toFixed(2)} max ${sample.max.toFixed(1)} ms, ${sample.cpu.toFixed(1)} µs`);
      return sample;
    }, rounds);
    await Promise.all([peers.stock.stop(), peers.ours.stop()]);
    const side = (name: 'stock' | 'ours', what: 'p50' | 'p99' | 'max' | 'cpu') => ({ name: `${name} RR`, samples: samples[name].map((sample) => sample[what]) });
    return {
      figures: [
        ...(['p50', 'p99', 'max'] as const).map((part) => figure(
          { id: `latency-half-${part}`, title: `latency at half of stock's capacity (${rate}/s), ${part}`, unit: 'ms', better: 'lower' }, side('ours', part), side('stock', part),
        )),
        figure({ id: 'latency-half-cpu', title: `CPU per connection at half of stock's capacity (${rate}/s)`, unit: 'µs', better: 'lower' }, side('ours', 'cpu'), side('stock', 'cpu')),
      ],
    };
  },
};
