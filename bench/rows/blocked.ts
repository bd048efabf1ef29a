/**
 * Row `blocked`: one of four workers does not return to its event loop for two seconds, while connections
 * arrive at a fixed rate. How many of them wait longer than 100 ms?
 *
 * At 1,500 connections/s the worker computes. At half of the capacity it sleeps, as in a synchronous call: a
 * worker that computes would take one of two CPUs, and the machine would be too slow for that rate, whatever
 * the cluster does.
 */
import type { Bench } from '../bench';
import { figure, type Figure } from '../figures';
import { clusterPeer } from '../peers';
import type { Window } from '../load/modes';
import { capacityOf } from './latency';
import type { Row } from './row';

/** How long the worker is blocked, in milliseconds. */
const BLOCKED = 2000;
/** Seconds of load before the worker blocks, and after it is back. */
const AROUND = 0.3;
/** Connections per second of the first measurement. */
const LOW_RATE = 1500;

type Peers = Record<'stock' | 'ours', Awaited<ReturnType<typeof clusterPeer>>>;

export const blockedRow: Row = {
  name: 'blocked',
  about: 'connections that wait > 100 ms while 1 of 4 workers is blocked for 2 s',
  async run(bench) {
    const peers: Peers = {
      stock: await clusterPeer(bench, { implementation: 'stock', workers: 4 }),
      ours: await clusterPeer(bench, { implementation: 'ours', workers: 4 }),
    };
    const half = Math.round((await capacityOf(bench, peers.stock)) / 2);
    await capacityOf(bench, peers.ours); // The result is not used: this warms ours up as much as stock.
    const figures = [
      ...(await atRate(bench, peers, 'blocked-1500', LOW_RATE, 'spin')),
      ...(await atRate(bench, peers, 'blocked-half', half, 'sleep')),
    ];
    await Promise.all([peers.stock.stop(), peers.ours.stop()]);
    return { figures };
  },
};

async function atRate(bench: Bench, peers: Peers, id: string, rate: number, how: 'spin' | 'sleep'): Promise<Figure[]> {
  const milliseconds = BLOCKED * bench.extent.scale;
  const samples = await bench.inTurn(['stock', 'ours'], async (name, pair): Promise<Window> => {
    const { port, program } = peers[name];
    const window = bench.open({ port, rate, seconds: AROUND * 2 + milliseconds / 1000 });
    await new Promise((resolve) => setTimeout(resolve, AROUND * 1000));
    await program.ask('block', { how, milliseconds });
    const result = await window;
    bench.say(`blocked ${pair + 1}/${bench.pairs} ${name} at ${rate}/s: ${result.slow} waited > 100 ms, p99 ${result.p99.toFixed(1)} ms`);
    return result;
  });
  const side = (name: 'stock' | 'ours', what: 'slow' | 'p99') => ({ name: `${name} RR`, samples: samples[name].map((sample) => sample[what]) });
  const title = `1 of 4 workers ${how === 'spin' ? 'computes' : 'is blocked'} for ${milliseconds / 1000} s, ${rate}/s`;
  return [
    figure({ id, title: `${title}: connections that wait > 100 ms`, unit: '', better: 'lower', compare: 'difference' }, side('ours', 'slow'), side('stock', 'slow')),
    figure({ id: `${id}-p99`, title: `${title}: p99`, unit: 'ms', better: 'lower' }, side('ours', 'p99'), side('stock', 'p99')),
  ];
}
