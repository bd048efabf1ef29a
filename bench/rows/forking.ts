/** Row `fork`: the time from cluster.fork() to 'online', and to 'listening'. */
import { figure } from '../figures';
import type { Row } from './row';

/** Workers forked per pair of the run, 84 in all: one start differs from the next by a third and more on a busy machine. */
const PER_PAIR = 12;

interface Times {
  readonly online: number;
  readonly listening: number;
}

export const forkRow: Row = {
  name: 'fork',
  about: 'fork to online, fork to listening',
  async run(bench) {
    const primaries = {
      stock: await bench.start('stock primary', 'servers/cluster.js', { implementation: 'stock', fork: false }),
      ours: await bench.start('our primary', 'servers/cluster.js', { implementation: 'ours', fork: false }),
    };
    for (const primary of Object.values(primaries)) await primary.ask('fork'); // This warms it up, and is not counted.
    const rounds = bench.pairs * PER_PAIR;
    const times = await bench.inTurn(['stock', 'ours'], async (name, pair) => {
      const sample = await primaries[name].ask<Times>('fork');
      bench.say(`fork ${pair + 1}/${rounds} ${name}: online ${sample.online.toFixed(1)} ms, listening ${sample.listening.toFixed(1)} ms`);
      return sample;
    }, rounds);
    await bench.stop(...Object.values(primaries));
    const side = (name: 'stock' | 'ours', until: keyof Times) => ({ name, samples: times[name].map((one) => one[until]) });
    return {
      figures: (['online', 'listening'] as const).map((until) => figure(
        { id: `fork-${until}`, title: `fork to ${until}`, unit: 'ms', better: 'lower' }, side('ours', until), side('stock', until),
      )),
    };
  },
};
