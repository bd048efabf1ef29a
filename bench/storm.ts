/**
 * Storms: random reload, scale, stop and kill on a real supervisor, and in the end as many workers as
 * were wanted last, and no other process.
 *
 *   npm run storm -- [--count 500] [--seeds 3] [--first 1] [--stock]
 *
 * Ends with 1 if one is not as wanted, with 2 on a wrong argument.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import nodeCluster, { type Cluster } from 'node:cluster';
import { storm } from '../test/support/storm';
import { runTool } from '../test/support/tool';
import type { supervise as Supervise } from '../lib/supervisor';

const root = path.resolve(__dirname, '..');

runTool({
  name: 'storm',
  usage: 'npm run storm --',
  about: 'Random commands and kills on a real supervisor, and in the end what was wanted last.\nEnds with 1 if it is not so, with 2 on a wrong argument.',
  options: {
    count: { takes: 'whole number', default: 500, about: 'commands and kills in a storm' },
    seeds: { takes: 'whole number', default: 3, about: 'how many storms' },
    first: { takes: 'whole number', default: 1, least: 0, about: 'the first one’s seed' },
    stock: { takes: 'nothing', about: 'on Node’s own cluster' },
  },
}, ({ values }) => run(values));

async function run({ count, seeds, first, stock }: { count: number; seeds: number; first: number; stock: boolean }): Promise<void> {
  const cluster = stock ? nodeCluster : require(path.join(root, 'dist/lib/cluster.js')) as Cluster;
  const { supervise } = require(path.join(root, 'dist/lib/supervisor.js')) as { supervise: typeof Supervise };
  const directory = mkdtempSync(path.join(tmpdir(), 'storm-'));
  const exec = path.join(directory, 'app.js');
  writeFileSync(exec, `require(${JSON.stringify(path.join(root, 'test/fixtures/supervised_app.js'))})(1);`);
  for (let seed = first; seed < first + seeds; seed++) {
    const supervisor = supervise({ cluster, exec, workers: 2, signals: false, execArgv: [], args: [], canaryMs: 20, idleGraceMs: 100, restarts: { max: 1e6 } });
    await supervisor.started;
    const { alive, placed, wanted, commands, outcomes } = await storm(supervisor, count, seed, 4);
    const good = alive.join() === placed.join() && placed.length === wanted;
    console.log(`seed ${seed}: ${good ? 'as wanted' : 'NOT AS WANTED'}, ${wanted} wanted, placed ${placed.join(' ')}, alive ${alive.join(' ')}; ${JSON.stringify(commands)} ${JSON.stringify(outcomes)}`);
    if (!good) process.exitCode = 1;
    await supervisor.stop({ now: true });
  }
  rmSync(directory, { recursive: true });
}
