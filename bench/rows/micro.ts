/**
 * Rows `queue` and `pick`: the primary's own code without the kernel. `queue` measures a connection while 10 to
 * 50,000 others wait; its base is the queue of 10. `pick` measures the choice among sixteen workers; its base is 0.
 * Stock's code cannot be called in this way, so there is no comparison with it.
 */
import type { Bench } from '../bench';
import { figure } from '../figures';
import { median } from '../statistics';
import type { Result, Row } from './row';

const LENGTHS = [10, 100, 1000, 10_000, 50_000];
const SOURCES = ['--require', 'tsx/cjs'];
const TIMES = 200_000;
/** A sample of the queue is the median of this many short ones, in turn: a disturbance spoils one of them and not a whole side. */
const PARTS = 10;
const RULES = ['round-robin', 'least-connections', 'random-two', 'sticky'] as const;

export const microRows: readonly Row[] = [
  { name: 'queue', about: 'the primary\'s own work per connection, 10 to 50,000 queued', run: queue },
  { name: 'pick', about: 'the choice among 16 workers', run: pick },
];

async function queue(bench: Bench): Promise<Result> {
  const program = await bench.start('queue', 'micro/queue.ts', {}, SOURCES);
  const measure = (length: number): Promise<number> => program.ask<number>('measure', { length, times: Math.round((TIMES / PARTS) * bench.extent.scale) });
  const keys = LENGTHS.map(String);
  for (const key of keys) await measure(Number(key)); // Warm, and filled.
  const samples = new Map(LENGTHS.map((length) => [length, [] as number[]]));
  await bench.inParts(keys, (key) => measure(Number(key)), PARTS, (parts, pair) => {
    for (const [length, all] of samples) all.push(median(parts[String(length)] as number[]));
    bench.say(`queue ${pair}: ${[...samples].map(([length, all]) => `${length} queued ${Math.round(all.at(-1) as number)} ns`).join(', ')}`);
  });
  await bench.stop(program);
  const side = (length: number) => ({ name: `${length} queued`, samples: samples.get(length) ?? [] });
  return {
    figures: LENGTHS.slice(1).map((length) => figure(
      { id: length === 50_000 ? 'growth-queue' : `queue-${length}`, title: `the primary's own work per connection, ${length} queued / 10`, unit: 'ns', better: 'lower' }, side(length), side(10),
    )),
    charts: [{ title: 'The primary\'s own work per connection by the length of the queue', unit: 'ns', labels: keys, values: LENGTHS.map((length) => median(side(length).samples)) }],
  };
}

async function pick(bench: Bench): Promise<Result> {
  const program = await bench.start('pick', 'micro/pick.ts', {}, SOURCES);
  const measure = (scheduling: string): Promise<number> => program.ask<number>('measure', { times: TIMES, scheduling });
  for (const rule of RULES) await measure(rule); // Warm.
  const samples = await bench.inTurn([...RULES], measure);
  await bench.stop(program);
  const figures = RULES.map((rule) => {
    const ours = samples[rule];
    bench.say(`pick ${rule}: ${Math.round(median(ours))} ns`);
    return figure(
      { id: rule === RULES[0] ? 'pick' : `pick-${rule}`, title: `the choice among 16 workers, ${rule}`, unit: 'ns', better: 'lower', compare: 'difference' },
      { name: 'ours', samples: ours }, { name: 'nothing', samples: ours.map(() => 0) },
    );
  });
  return { figures };
}
