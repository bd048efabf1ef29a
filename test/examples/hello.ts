/**
 * Hello: one HTTP server on one port, three workers that answer in turn.
 *
 *   npx tsx test/examples/hello.ts
 *
 * The primary forks this same file three times. Each worker calls `listen`, which asks the primary:
 * the primary listens once, accepts, and hands each connection to the next worker. Six requests, a
 * connection each, show the round robin. Then the primary lets its workers go and ends.
 */
import { createServer } from 'node:http';
import cluster from '../../lib/cluster';

const WORKERS = 3;

if (cluster.isPrimary) void runPrimary();
else runWorker();

function runWorker(): void {
  createServer((_request, response) => {
    response.end(`hello from worker ${cluster.worker?.id}`);
  }).listen(0, '127.0.0.1'); // All three name the same port 0, so all three share the one that the primary gets.
}

async function runPrimary(): Promise<void> {
  const port = await forkWorkers();
  for (let request = 1; request <= 2 * WORKERS; request++) {
    const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    console.log(`request ${request}: ${await reply.text()}`);
  }
  cluster.on('exit', (worker, code) => console.log(`worker ${worker.id} left with ${code}`));
  cluster.disconnect();
}

/** Starts the workers; gives the port when all of them listen there. */
function forkWorkers(): Promise<number> {
  return new Promise((resolve) => {
    let listening = 0;
    cluster.on('listening', (_worker, { port }) => {
      if (++listening === WORKERS) resolve(port);
    });
    for (let started = 0; started < WORKERS; started++) cluster.fork();
  });
}
