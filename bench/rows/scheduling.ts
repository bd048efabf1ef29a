/** Row `scheduling`: connections per second under each scheduling rule of ours, against stock's round robin. */
import { figure } from '../figures';
import type { Peer } from '../peer';
import { clusterPeer } from '../peers';
import { closedSample, describe, type Sample } from '../samples';
import type { Row } from './row';

const RULES = ['round-robin', 'least-connections', 'random-two', 'sticky', 'function'];
const STOCK = 'stock RR';
/** The rule `sticky` goes by the client's address: it spreads only if there are many. */
const CLIENT_ADDRESSES = 64;
const WORKERS = 4;
const WARM_UP = 0.6;
const WINDOW = 1;

export const schedulingRow: Row = {
  name: 'scheduling',
  about: 'connections per second by scheduling rule',
  async run(bench) {
    const peers = new Map<string, Peer>([[STOCK, await clusterPeer(bench, { implementation: 'stock', workers: WORKERS })]]);
    for (const rule of RULES) peers.set(rule, await clusterPeer(bench, { implementation: 'ours', workers: WORKERS, scheduling: rule }));
    const load = (name: string, seconds: number): Promise<Sample> => closedSample(bench, peers.get(name) as Peer, 'tcp', bench.seconds(seconds), CLIENT_ADDRESSES);
    for (const name of peers.keys()) await load(name, WARM_UP);
    const samples = await bench.inTurn([...peers.keys()], async (name, pair) => {
      const sample = await load(name, WINDOW);
      bench.say(`scheduling ${pair + 1}/${bench.pairs} ${name}: ${describe(sample)}, fairness ${sample.fairness.toFixed(3)}`);
      return sample;
    });
    await Promise.all([...peers.values()].map((peer) => peer.stop()));
    const side = (name: string, what: 'rate' | 'fairness') => ({ name, samples: (samples[name] as Sample[]).map((sample) => sample[what]) });
    return {
      figures: RULES.flatMap((rule) => [
        figure({ id: `scheduling-${rule}`, title: `connections/s, ${WORKERS} workers, ${CLIENT_ADDRESSES} client addresses, ${rule}`, unit: '/s', better: 'higher' }, side(rule, 'rate'), side(STOCK, 'rate')),
        figure({ id: `scheduling-${rule}-fairness`, title: `Jain's fairness index, ${rule}`, unit: '', better: 'higher' }, side(rule, 'fairness'), side(STOCK, 'fairness')),
      ]),
    };
  },
};
