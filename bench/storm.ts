/**
 * npm run storm: random reload, scale, stop and kill on a real supervisor. At the end it must run as many
 * workers as the latest command asked for, and no other process.
 *
 * Uses     test/support/storm.ts, test/fixtures/supervised_app.js
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import nodeCluster, { type Cluster } from 'node:cluster';
import { storm } from '../test/support/storm';
import { announce, counted, duration, paint, Progress } from '../test/support/terminal';
import { runTool } from '../test/support/tool';
import type { supervise as Supervise } from '../lib/supervisor';

const root = path.resolve(__dirname, '..');
/** Milliseconds from one command to the next, on average: the pause between two is 0 to 59 ms (test/support/storm.ts). */
const STEP = 35;

runTool({
  name: 'storm',
  usage: 'npm run storm --',
  about: 'Plays storms: random commands (reload, scale, stop) and kills on a real supervisor.\nExit code 1: at the end of a storm the workers are not those that the latest command asked for.',
  takes: 'about 35 ms for each command: 3 storms of 500 take some 55 s',
  example: 'npm run storm -- --count 100 --seeds 1',
  options: {
    count: { takes: 'whole number', default: 500, about: 'commands and kills in a storm' },
    seeds: { takes: 'whole number', default: 3, about: 'how many storms' },
    first: { takes: 'whole number', default: 1, least: 0, about: 'the seed of the first storm; the next has the next number' },
    stock: { takes: 'nothing', about: 'supervises Node’s own cluster instead of ours' },
    verbose: { takes: 'nothing', about: 'prints how often each command was given, and how each ended' },
  },
}, ({ values }) => run(values));

interface Given {
  readonly count: number;
  readonly seeds: number;
  readonly first: number;
  readonly stock: boolean;
  readonly verbose: boolean;
}

async function run({ count, seeds, first, stock, verbose }: Given): Promise<void> {
  const cluster = stock ? nodeCluster : require(path.join(root, 'dist/lib/cluster.js')) as Cluster;
  const { supervise } = require(path.join(root, 'dist/lib/supervisor.js')) as { supervise: typeof Supervise };
  const directory = mkdtempSync(path.join(tmpdir(), 'storm-'));
  const exec = path.join(directory, 'app.js');
  writeFileSync(exec, `require(${JSON.stringify(path.join(root, 'test/fixtures/supervised_app.js'))})(1);`);
  announce('storm', `${counted(seeds, 'storm')} of ${counted(count, 'command')} or kills, about ${duration(seeds * count * STEP)}`);
  const progress = new Progress(seeds * count);
  for (let seed = first; seed < first + seeds; seed++) {
    const supervisor = supervise({ cluster, exec, workers: 2, signals: false, execArgv: [], args: [], canaryMs: 20, idleGraceMs: 100, restarts: { max: 1e6 } });
    await supervisor.started;
    const { alive, placed, wanted, commands, outcomes } = await storm(supervisor, count, seed, 4, () => progress.step(`storm ${seed - first + 1} of ${seeds}`));
    progress.clear();
    const good = alive.join() === placed.join() && placed.length === wanted;
    const verdict = good ? paint('green', 'as wanted') : paint('red', 'NOT AS WANTED');
    console.log(`seed ${seed}: ${verdict}, ${wanted} workers wanted; the supervisor has ${placed.join(' ')}, alive are ${alive.join(' ')}`);
    if (verbose || !good) console.log(`  commands: ${listed(commands)}\n  outcomes: ${listed(outcomes)}`);
    if (!good) process.exitCode = 1;
    await supervisor.stop({ now: true });
  }
  rmSync(directory, { recursive: true });
}

/** "reload 12, scale 30": counts by name. */
function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(', ');
}
