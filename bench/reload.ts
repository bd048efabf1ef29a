/**
 * Reloads under load, and the requests that fail meanwhile: a figure of README.md and of bench/README.md.
 *
 *   npx tsx bench/reload.ts                 replaces the workers 100 times
 *   npx tsx bench/reload.ts --suicides 50   no reload: workers with `graceful` that meet an uncaught exception
 *   npx tsx bench/reload.ts --bad 10        reloads to releases that throw, never listen, or die after 1 s
 *
 * Clients send requests all the time, in each way in which a connection can be used
 * (test/support/steady_load.ts). Prints the requests and failures of each way, the time of a reload, and the
 * fewest workers that were ready at any moment.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import nodeCluster, { type Cluster } from 'node:cluster';
import { announce, counted, Progress } from '../test/support/terminal';
import { runTool } from '../test/support/tool';
import { SteadyLoad, styles } from '../test/support/steady_load';
import type { supervise as Supervise, Transition } from '../lib/supervisor';

const root = path.resolve(__dirname, '..');

interface Given {
  readonly reloads: number;
  readonly workers: number;
  readonly bad: number;
  readonly suicides: number;
  readonly each: number;
  readonly stock: boolean;
}

runTool({
  name: 'reload',
  usage: 'npx tsx bench/reload.ts',
  about: 'Replaces the workers of a cluster again and again under load, and counts the requests that\nfail. Exit code 1: a request failed.',
  takes: 'a second or less for each reload of 2 workers',
  example: 'npx tsx bench/reload.ts --reloads 20',
  options: {
    reloads: { takes: 'whole number', default: 100, about: 'how many reloads' },
    workers: { takes: 'whole number', default: 2, about: 'how many workers' },
    bad: { takes: 'whole number', default: 0, least: 0, about: 'instead: N reloads to each of three releases: throws, never listens, dies after 1 s' },
    suicides: { takes: 'whole number', default: 0, least: 0, about: 'instead of reloads: N workers that meet an uncaught exception' },
    each: { takes: 'whole number', default: 1, about: 'clients of each kind' },
    stock: { takes: 'nothing', about: 'supervises Node’s own cluster instead of ours' },
  },
}, ({ values }) => run(values));

async function run({ reloads, workers, bad, suicides, each, stock }: Given): Promise<void> {
  const cluster = stock ? nodeCluster : require(path.join(root, 'dist/lib/cluster.js')) as Cluster;
  const { supervise } = require(path.join(root, 'dist/lib/supervisor.js')) as { supervise: typeof Supervise };
  const directory = mkdtempSync(path.join(tmpdir(), 'reload-'));
  const exec = path.join(directory, 'app.js');
  const write = (version: number, mode = 'serve'): void =>
    writeFileSync(exec, `require(${JSON.stringify(path.join(root, 'test/fixtures/supervised_app.js'))})(${version}, '${mode}');`);
  const count = bad * 3 || suicides || reloads;
  announce('reload', `${counted(count, suicides > 0 ? 'death' : 'reload')} of ${counted(workers, 'worker')}`);
  const progress = new Progress(count);
  write(0, suicides > 0 ? 'graceful' : 'serve');

  let port = 0;
  let least = workers;
  cluster.on('listening', (_worker, address) => { port = address.port; });
  const supervisor = supervise({ cluster, exec, workers, signals: false, execArgv: [], args: [], canaryMs: bad > 0 ? 2_000 : 100, idleGraceMs: 300, readyTimeoutMs: 3_000, env: { DIES_AFTER: '1000' }, restarts: { max: 1e6, healthyMs: 0 } });
  await supervisor.started;
  supervisor.on('transition', () => { least = Math.min(least, supervisor.status().ready); });
  const load = new SteadyLoad(port, { each });
  const began = performance.now();
  const ways: Record<string, number> = {};
  for (let trial = 1; trial <= bad; trial++) {
    for (const mode of ['throws', 'never listens', 'dies later']) {
      write(trial, mode);
      const reason = await supervisor.reload().then(() => 'done', (error: Error) => error.message.replace(/.*: /, ''));
      ways[reason] = (ways[reason] ?? 0) + 1;
      progress.step(`${load.failures.length} requests failed`);
    }
  }
  for (let death = 1; death <= suicides; death++) {
    const gone = new Promise<void>((resolve) => {
      const look = ({ state }: Transition): void => {
        if (state.is !== 'gone') return;
        ways[`${state.reason}, ${state.signal ?? state.code}`] = (ways[`${state.reason}, ${state.signal ?? state.code}`] ?? 0) + 1;
        supervisor.removeListener('transition', look);
        resolve();
      };
      supervisor.on('transition', look);
    });
    await fetch(`http://127.0.0.1:${port}/throw`, { headers: { connection: 'close' } }).then((reply) => reply.text());
    await gone;
    progress.step(`${load.failures.length} requests failed`);
  }
  for (let version = 1; version <= reloads && bad + suicides === 0; version++) {
    write(version);
    const report = await supervisor.reload();
    progress.step(`${load.failures.length} requests failed`);
    for (const { became, code, signal } of report.workers) if (became !== 'ready') ways[String(signal ?? code)] = (ways[String(signal ?? code)] ?? 0) + 1;
  }
  const ms = performance.now() - began;
  await load.stop();
  progress.clear();
  for (const style of styles) {
    const { requests, failures } = load.tallies[style];
    console.log(`${style.padEnd(16)} ${String(requests).padStart(8)} requests ${String(failures.length).padStart(4)} failed ${[...new Set(failures)].join(' ')}`);
  }
  console.log(`all              ${String(load.requests).padStart(8)} requests ${String(load.failures.length).padStart(4)} failed; ${load.closed} kept connections were closed by the server`);
  console.log(`${count} ${suicides > 0 ? 'deaths' : 'reloads'} of ${workers} workers, ${(ms / count).toFixed(0)} ms each; ends: ${Object.entries(ways).map(([way, times]) => `${way} × ${times}`).join(', ') || 'none'}; never fewer than ${least} ready`);
  await supervisor.stop({ now: true });
  rmSync(directory, { recursive: true });
  if (load.requests === 0) throw new Error('not one request was made');
  if (load.failures.length > 0) process.exitCode = 1;
}
