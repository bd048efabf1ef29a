/**
 * npx tsx bench/sharing.ts: how evenly and how fast workers share one port under SCHED_NONE, round robin, `shared` and
 * reusePort. All of them run beside each other and are loaded in turn. Prints a table, and writes the samples as JSON and
 * two plots as SVG to bench/results/.
 *
 * Uses     bench/sharing_plots.ts (the plots)
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { announce, duration } from '../test/support/terminal';
import { runTool } from '../test/support/tool';
import { Bench } from './bench';
import { thisMachine } from './machine';
import type { Peer } from './peer';
import { clusterPeer, otherPeers } from './peers';
import { closedSample, openSample } from './samples';
import { plotOverTime, plotThroughput, type Slice } from './sharing_plots';
import { jain, median } from './statistics';

/** Seconds of load before the first sample. */
const WARM_UP = 1;
/** The parts of SCHED_NONE's capacity at which connections arrive. */
const LOADS = [0.05, 0.5, 1] as const;

runTool({
  name: 'sharing',
  usage: 'npx tsx bench/sharing.ts',
  about: 'Measures how workers share one port: connections of each worker per second, rate, latency and the\nprimary’s CPU, under each rule and load.',
  takes: 'rules × loads × slices seconds, and a few more: some 50 s with 2 workers',
  example: 'npx tsx bench/sharing.ts --workers 2 --slices 2',
  options: {
    workers: { takes: 'whole number', default: 8, about: 'workers of each cluster' },
    slices: { takes: 'whole number', default: 3, about: 'seconds for each rule and load' },
  },
}, async ({ values: { workers, slices } }) => {
  announce('sharing', `about ${duration((4 * (LOADS.length * slices + WARM_UP * 2) + 5) * 1000)}`);
  const bench = new Bench({ pairs: slices, scale: 1 }, () => undefined);
  try {
    const all = await measure(bench, workers);
    console.log(tableOf(all));
    const directory = path.join(__dirname, 'results');
    mkdirSync(directory, { recursive: true });
    const file = (what: string): string => path.join(directory, `sharing-${workers}-${process.versions.node.split('.')[0]}${what}`);
    writeFileSync(file('.json'), JSON.stringify({ machine: thisMachine(), slices: all }, null, 1));
    writeFileSync(file('-over-time.svg'), plotOverTime(all.filter(({ load }) => load === 0.5)));
    writeFileSync(file('-throughput.svg'), plotThroughput(all.filter(({ load }) => load === 1)));
  } finally {
    await bench.close();
  }
});

async function measure(bench: Bench, workers: number): Promise<Slice[]> {
  const peers: Record<string, Peer> = {
    'SCHED_NONE': await clusterPeer(bench, { implementation: 'stock', policy: 'none', workers }),
    'round robin': await clusterPeer(bench, { implementation: 'ours', workers }),
    'shared': await clusterPeer(bench, { implementation: 'ours', scheduling: 'shared', workers }),
  };
  const reusePort = workers === 2 ? await otherPeers['reusePort']?.(bench, 'tcp') : 'it has two processes';
  if (typeof reusePort === 'object') peers['reusePort'] = reusePort;
  const rates: number[] = [];
  for (const [rule, peer] of Object.entries(peers)) {
    for (let times = 0; times < 2; times++) {
      const { rate } = await closedSample(bench, peer, 'tcp', WARM_UP);
      if (rule === 'SCHED_NONE') rates.push(rate);
    }
  }
  const capacity = median(rates);
  const all: Slice[] = [];
  for (const load of LOADS) {
    await bench.inTurn(Object.keys(peers), async (rule) => {
      const peer = peers[rule] as Peer;
      const before = await peer.served();
      const sample = load === 1 ? await closedSample(bench, peer, 'tcp', 1) : await openSample(bench, peer, Math.round(capacity * load), 1);
      const after = await peer.served();
      const { p50, p99, rate, primary } = sample;
      all.push({ rule, workers, load, served: after.map((count, at) => count - (before[at] as number)), p50, p99, rate, primary });
    });
  }
  return all;
}

function tableOf(all: readonly Slice[]): string {
  const rows = ['| workers | load | rule | connections/s | Jain’s index, worst second | busiest worker, worst second | p50 ms | p99 ms | primary µs |', '| --- | --- | --- | --- | --- | --- | --- | --- | --- |'];
  for (const load of LOADS) {
    for (const rule of new Set(all.map((slice) => slice.rule))) {
      const slices = all.filter((slice) => slice.rule === rule && slice.load === load);
      const of = (what: (slice: Slice) => number): number[] => slices.map(what);
      const busiest = ({ served }: Slice): number => (Math.max(...served) * served.length) / served.reduce((sum, one) => sum + one, 0);
      rows.push(`| ${slices[0]?.workers} | ${load * 100} % | ${rule} | ${Math.round(median(of(({ rate }) => rate)))} | ${Math.min(...of(({ served }) => jain(served))).toFixed(3)} | ${Math.max(...of(busiest)).toFixed(2)} | ${median(of(({ p50 }) => p50)).toFixed(2)} | ${median(of(({ p99 }) => p99)).toFixed(1)} | ${median(of(({ primary }) => primary)).toFixed(2)} |`);
    }
  }
  return rows.join('\n');
}
