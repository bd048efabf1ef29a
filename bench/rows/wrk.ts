/** Row `wrk`: the HTTP load again, by wrk if it is installed. It shows that our own load generator does not favour a side. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { CLIENTS } from '../bench';
import { figure } from '../figures';
import { installed } from '../installed';
import { clusterPeer } from '../peers';
import type { Row } from './row';

const SECONDS = 2;

export const wrkRow: Row = {
  name: 'wrk',
  about: 'HTTP, one request per connection, loaded by wrk',
  async run(bench) {
    const wrk = installed('wrk');
    if (wrk === null) return { figures: [], notes: ['wrk: not installed'] };
    const peers = {
      stock: await clusterPeer(bench, { implementation: 'stock', kind: 'http' }),
      ours: await clusterPeer(bench, { implementation: 'ours', kind: 'http' }),
    };
    const seconds = Math.max(1, Math.round(bench.seconds(SECONDS)));
    for (const peer of Object.values(peers)) await load(wrk, peer.port, 1);
    const samples = await bench.inTurn(['stock', 'ours'], async (name, pair) => {
      const rate = await load(wrk, peers[name].port, seconds);
      bench.say(`wrk ${pair + 1}/${bench.pairs} ${name}: ${Math.round(rate)}/s`);
      return rate;
    });
    await Promise.all([peers.stock.stop(), peers.ours.stop()]);
    return {
      figures: [figure(
        { id: 'wrk-rate', title: 'requests/s, one per connection, loaded by wrk', unit: '/s', better: 'higher' },
        { name: 'ours RR', samples: samples.ours }, { name: 'stock RR', samples: samples.stock },
      )],
    };
  },
};

async function load(wrk: string, port: number, seconds: number): Promise<number> {
  const child = spawn(wrk, ['-t1', `-c${CLIENTS}`, `-d${seconds}s`, '-H', 'Connection: close', `http://127.0.0.1:${port}/`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const output = await text(child.stdout);
  const rate = /^Requests\/sec:\s+([\d.]+)/m.exec(output)?.[1];
  if (rate === undefined || /Non-2xx/.test(output)) throw new Error(`wrk failed:\n${output}`);
  return Number(rate);
}
