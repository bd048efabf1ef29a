/** Row `memory`: the resident memory of a primary with sixteen workers, and of an idle worker. */
import type { Bench } from '../bench';
import { figure } from '../figures';
import { clusterPeer } from '../peers';
import { memoryOf } from '../processes';
import { median } from '../statistics';
import type { Row } from './row';

const WORKERS = 16;
/** Milliseconds from the last 'listening' to the measurement. */
const SETTLE = 500;

interface Sizes {
  readonly primary: number;
  readonly worker: number;
}

export const memoryRow: Row = {
  name: 'memory',
  about: `RSS of an idle worker, and of the primary with ${WORKERS} workers`,
  async run(bench) {
    const sizes = await bench.inTurn(['stock', 'ours'], async (name, pair) => {
      const sample = await measure(bench, name);
      bench.say(`memory ${pair + 1}/${bench.pairs} ${name}: primary ${sample.primary.toFixed(1)} MiB, worker ${sample.worker.toFixed(1)} MiB`);
      return sample;
    });
    const side = (name: 'stock' | 'ours', which: keyof Sizes) => ({ name, samples: sizes[name].map((one) => one[which]) });
    const kind = { unit: 'MiB', better: 'lower' } as const;
    return {
      figures: [
        figure({ id: 'memory-worker', title: 'RSS of an idle worker', ...kind }, side('ours', 'worker'), side('stock', 'worker')),
        figure({ id: 'memory-primary', title: `RSS of the primary with ${WORKERS} workers`, ...kind }, side('ours', 'primary'), side('stock', 'primary')),
      ],
    };
  },
};

async function measure(bench: Bench, implementation: 'stock' | 'ours'): Promise<Sizes> {
  const peer = await clusterPeer(bench, { implementation, workers: WORKERS });
  await new Promise((resolve) => setTimeout(resolve, SETTLE));
  const [primary = 0, ...workers] = peer.pids.map(memoryOf);
  await peer.stop();
  return { primary, worker: median(workers) };
}
