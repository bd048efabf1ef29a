/**
 * node --require tsx/cjs reloads_program.ts '{"reloads":100}': reloads a supervised cluster again and
 * again, while clients use it in each way in which a connection can be used. Prints the requests, their failures,
 * the reloads that were refused, the fewest workers that were ready at any moment, and the primary's fds before and
 * after.
 */
import type { Cluster } from 'node:cluster';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { supervise as Supervise } from '../../lib/supervisor';
import { SteadyLoad } from '../support/steady_load';

const WORKERS = 2;

async function main({ reloads }: { reloads: number }): Promise<void> {
  const dist = path.join(__dirname, '../../dist/lib');
  const cluster = require(path.join(dist, 'cluster.js')) as Cluster;
  const { supervise } = require(path.join(dist, 'supervisor.js')) as { supervise: typeof Supervise };
  let port = 0;
  cluster.on('listening', (_worker, address) => { port = address.port; });
  const supervisor = supervise({
    cluster, exec: path.join(__dirname, 'reloads_app.js'), workers: WORKERS, args: [], execArgv: [],
    canaryMs: 100, idleGraceMs: 300, restarts: { max: 1e6, healthyMs: 0 },
  });
  await supervisor.started;
  await supervisor.reload();
  const before = fds();
  let least = WORKERS;
  supervisor.on('transition', () => { least = Math.min(least, supervisor.status().ready); });
  const load = new SteadyLoad(port, { each: 1 });
  const refused: string[] = [];
  for (let count = 0; count < reloads; count++) await supervisor.reload().catch((error: Error) => refused.push(error.message));
  await load.stop();
  for (const end = performance.now() + 10_000; fds() > before && performance.now() < end;) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log(JSON.stringify({ requests: load.requests, failures: load.failures, refused, least, fds: [before, fds()] }));
  await supervisor.stop({ now: true });
}

const fds = (): number => readdirSync('/proc/self/fd').length;

void main(JSON.parse(process.argv[2] as string) as { reloads: number });
