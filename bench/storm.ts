/**
 * Storms: random reload, scale, stop and kill on a real supervisor, and in the end as many workers as
 * were wanted last, and no other process.
 *
 *   npm run storm -- [--count 500] [--seeds 3] [--first 1] [--stock]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import nodeCluster, { type Cluster } from 'node:cluster';
import { storm } from '../test/support/storm';
import type { supervise as Supervise } from '../lib/supervisor';

const root = path.resolve(__dirname, '..');
const argument = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? Number(process.argv[at + 1]) : otherwise;
};

async function run(): Promise<void> {
  const cluster = process.argv.includes('--stock') ? nodeCluster : require(path.join(root, 'dist/lib/cluster.js')) as Cluster;
  const { supervise } = require(path.join(root, 'dist/lib/supervisor.js')) as { supervise: typeof Supervise };
  const directory = mkdtempSync(path.join(tmpdir(), 'storm-'));
  const exec = path.join(directory, 'app.js');
  writeFileSync(exec, `require(${JSON.stringify(path.join(root, 'test/fixtures/supervised_app.js'))})(1);`);
  const first = argument('first', 1);
  for (let seed = first; seed < first + argument('seeds', 3); seed++) {
    const supervisor = supervise({ cluster, exec, workers: 2, execArgv: [], args: [], canaryMs: 20, idleGraceMs: 100, restarts: { max: 1e6 } });
    await supervisor.started;
    const { alive, placed, wanted, commands, outcomes } = await storm(supervisor, argument('count', 500), seed, 4);
    const good = alive.join() === placed.join() && placed.length === wanted;
    console.log(`seed ${seed}: ${good ? 'as wanted' : 'NOT AS WANTED'}, ${wanted} wanted, placed ${placed.join(' ')}, alive ${alive.join(' ')}; ${JSON.stringify(commands)} ${JSON.stringify(outcomes)}`);
    if (!good) process.exitCode = 1;
    await supervisor.stop({ now: true });
  }
  rmSync(directory, { recursive: true });
}

void run();
