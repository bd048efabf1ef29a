/**
 * Guard: a worker that crashes is replaced at once; one that crashes again and again is given up, with
 * its last words, and the others go on.
 *
 *   npx tsx test/examples/guard.ts
 *
 * At most three restarts in a minute are allowed here. The first death is repaired at once, the next ones
 * after a delay that grows.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import cluster from '../../lib/cluster';
import { supervise } from '../../lib/supervisor';

if (cluster.isPrimary) void runPrimary();
else runWorker();

function runWorker(): void {
  // Something is broken from now on, and whoever starts later cannot.
  if (existsSync(path.join(String(process.env['BREAKAGE']), 'broken'))) throw new Error('the database is gone');
  createServer((_request, response) => response.end('served')).listen(0, '127.0.0.1');
}

async function runPrimary(): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), 'guard-'));
  cluster.setupPrimary({ silent: true }); // What workers print when they die would be printed here as well.
  let port = 0;
  cluster.on('listening', (_worker, address) => { port = address.port; });
  const supervisor = supervise({ exec: __filename, workers: 2, env: { BREAKAGE: directory }, restarts: { max: 3, withinMs: 60_000, minDelayMs: 20 } });
  await supervisor.started;
  supervisor.on('transition', ({ worker, state }) => {
    if (state.is === 'gone') console.log(`worker ${worker} ${state.reason}`);
    if (state.is === 'backing off') console.log(`its place backs off after ${state.failures} deaths in a row`);
  });

  writeFileSync(path.join(directory, 'broken'), '');
  const [first] = supervisor.status().workers;
  process.kill(Number(first?.pid), 'SIGKILL');
  const [{ place, exits, stderr }] = await once(supervisor, 'giveup') as [{ place: number; exits: { code: number; signal: string }[]; stderr: string }];
  console.log(`place ${place} is given up after ${exits.map(({ code, signal }) => signal ?? code).join(', ')}: ${/Error: .*/.exec(stderr)?.[0]}`);

  const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  console.log(`the other one: ${await reply.text()}`);
  rmSync(path.join(directory, 'broken'));
  const { outcome } = await supervisor.scale(2); // Tries the place anew.
  console.log(`repaired: ${outcome}, ${supervisor.status().ready} ready`);
  supervisor.removeAllListeners('transition');
  await supervisor.stop();
  rmSync(directory, { recursive: true });
}
