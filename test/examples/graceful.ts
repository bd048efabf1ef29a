/**
 * Graceful: a worker meets an uncaught exception. It asks for a successor, serves until that one is
 * ready, finishes what it began, and ends with 1. There are two workers all the time.
 *
 *   npx tsx test/examples/graceful.ts
 */
import { createServer, request } from 'node:http';
import { text } from 'node:stream/consumers';
import cluster from '../../lib/cluster';
import { graceful } from '../../lib/graceful';
import { supervise } from '../../lib/supervisor';

if (cluster.isPrimary) void runPrimary();
else runWorker();

function runWorker(): void {
  const server = createServer((incoming, response) => {
    if (incoming.url === '/fail') response.end('soon', () => setImmediate(() => { throw new Error('a bug'); }));
    else response.end('served');
  });
  graceful(server, { timeoutMs: 30_000, onFatal: () => undefined });
  server.listen(0, '127.0.0.1');
}

async function runPrimary(): Promise<void> {
  let port = 0;
  let least = Infinity;
  cluster.on('listening', (_worker, address) => { port = address.port; });
  const supervisor = supervise({ exec: __filename, workers: 2 });
  await supervisor.started;
  const gone = new Promise<void>((resolve) => {
    supervisor.on('transition', ({ from, state }) => {
      least = Math.min(least, supervisor.status().ready);
      if (from === null) console.log('a successor is started');
      if (state.is === 'ready') console.log('the successor is ready');
      if (state.is === 'leaving' && state.phase === 'told') console.log(`the worker leaves: ${state.reason}`);
      if (state.is !== 'gone') return;
      console.log(`the worker ended with ${state.code}`);
      resolve();
    });
  });
  console.log(await get(port, '/fail'));
  await gone;
  console.log(`${await get(port, '/')}; never fewer than ${least} ready`);
  supervisor.removeAllListeners('transition');
  await supervisor.stop();
}

/** A request on a connection of its own. */
function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent: false }, (response) => resolve(text(response))).on('error', reject).end();
  });
}
