/**
 * Rows `tcp` and `http`: connections per second, CPU per connection, latency at full load, and fairness, of
 * every peer. All peers run at the same time and are loaded in turn; an idle peer costs nothing.
 */
import { CLIENTS, type Bench } from '../bench';
import { figure, type Chart, type Figure, type Side } from '../figures';
import type { Kind, Peer } from '../peer';
import { clusterPeer, otherPeers } from '../peers';
import { closedSample, describe, type Sample } from '../samples';
import { median } from '../statistics';
import type { Result, Row } from './row';

/** Seconds of load before the first measurement of a peer. */
const WARM_UP = 1;
/** Seconds of load for one sample. */
const WINDOW = 1.5;

const STOCK = 'stock RR';
const OURS = 'ours RR';
const STOCK_NONE = 'stock NONE';
/** Our cluster under SCHED_NONE has a row of its own, `none`. */
const CLUSTERS = [
  { implementation: 'stock', policy: 'rr' }, { implementation: 'ours', policy: 'rr' }, { implementation: 'stock', policy: 'none' },
] as const;

export const connectionRows: readonly Row[] = [
  { name: 'tcp', about: 'raw TCP connections, all peers', run: (bench) => run(bench, 'tcp') },
  { name: 'http', about: 'HTTP, one request per connection, all peers', run: (bench) => run(bench, 'http') },
];

async function run(bench: Bench, kind: Kind): Promise<Result> {
  const peers = new Map<string, Peer>();
  const notes: string[] = [];
  for (const cluster of CLUSTERS) {
    const peer = await clusterPeer(bench, { ...cluster, kind });
    peers.set(peer.name, peer);
  }
  for (const [name, start] of Object.entries(otherPeers)) {
    const peer = await start(bench, kind);
    if (typeof peer === 'string') notes.push(`${kind}, ${name}: ${peer}`);
    else peers.set(name, peer);
  }
  for (const peer of peers.values()) await closedSample(bench, peer, kind, bench.seconds(WARM_UP));
  const samples = await bench.inTurn([...peers.keys()], async (name, pair) => {
    const sample = await closedSample(bench, peers.get(name) as Peer, kind, bench.seconds(WINDOW));
    bench.say(`${kind} ${pair + 1}/${bench.pairs} ${name}: ${describe(sample)}`);
    return sample;
  });
  for (const peer of peers.values()) await peer.stop();
  return { figures: figuresOf(kind, samples), charts: chartsOf(kind, samples), notes };
}

type Samples = Record<string, Sample[]>;

function figuresOf(kind: Kind, samples: Samples): Figure[] {
  const side = (name: string, what: keyof Sample): Side => ({ name, samples: (samples[name] as Sample[]).map((sample) => sample[what]) });
  const what = kind === 'tcp' ? 'raw TCP' : 'HTTP, one request each';
  const rate = { unit: '/s', better: 'higher' } as const;
  const cpu = { unit: 'µs', better: 'lower' } as const;
  const time = { unit: 'ms', better: 'lower' } as const;
  const figures = [
    figure({ id: `${kind}-rate`, title: `connections/s, ${what}, round robin, 2 workers, ${CLIENTS} clients`, ...rate }, side(OURS, 'rate'), side(STOCK, 'rate')),
    figure({ id: `${kind}-rate-of-none`, title: `connections/s, ${what}, our round robin / stock SCHED_NONE`, ...rate }, side(OURS, 'rate'), side(STOCK_NONE, 'rate')),
    figure({ id: `${kind}-cpu`, title: `CPU per connection, ${what}, all processes`, ...cpu }, side(OURS, 'cpu'), side(STOCK, 'cpu')),
    figure({ id: `${kind}-cpu-primary`, title: `CPU per connection, ${what}, the primary`, ...cpu }, side(OURS, 'primary'), side(STOCK, 'primary')),
    figure({ id: `${kind}-cpu-workers`, title: `CPU per connection, ${what}, the workers`, ...cpu }, side(OURS, 'workers'), side(STOCK, 'workers')),
    ...(['p50', 'p99', 'max'] as const).map((part) => (
      figure({ id: `${kind}-full-${part}`, title: `latency at full load, ${what}, ${part}`, ...time }, side(OURS, part), side(STOCK, part))
    )),
    figure({ id: `${kind}-fairness`, title: `Jain's fairness index of 2 workers, ${what}`, unit: '', better: 'higher' }, side(OURS, 'fairness'), side(STOCK, 'fairness')),
  ];
  for (const name of Object.keys(samples)) {
    if (name === STOCK || name === OURS) continue;
    figures.push(figure({ id: `${kind}-peer ${name}`, title: `connections/s, ${what}, ${name} / stock RR`, ...rate }, side(name, 'rate'), side(STOCK, 'rate')));
  }
  return figures;
}

function chartsOf(kind: Kind, samples: Samples): Chart[] {
  const labels = Object.keys(samples);
  const of = (what: keyof Sample): number[] => labels.map((name) => median((samples[name] as Sample[]).map((sample) => sample[what])));
  const what = kind === 'tcp' ? 'raw TCP' : 'HTTP, one request each';
  return [
    { title: `Connections per second, ${what}`, unit: 'connections/s', labels, values: of('rate') },
    { title: `CPU per connection, ${what}, all processes`, unit: 'µs', labels, values: of('cpu') },
  ];
}
