/**
 * A worker dies with a connection in flight: the primary has handed the connection off, and the worker has not taken it.
 *
 *   npx tsx test/examples/killed_in_flight.ts                                    with Node's own cluster
 *   npx tsx --require ./dist/lib/register.js test/examples/killed_in_flight.ts   with ours
 *
 * Worker 1 is stopped (SIGSTOP): whatever the primary sends it stays in the pipe. Of two clients one goes to each worker.
 * When the one of worker 2 has its answer, worker 1 is killed. With Node's own cluster nobody takes its connection back:
 * the client waits until it gives up. With ours it goes to worker 2.
 */
import cluster from 'node:cluster';
import { createServer } from 'node:http';

/** Milliseconds after which a client gives up. */
const PATIENCE = 5000;

if (cluster.isPrimary) {
  const ports: number[] = [];
  cluster.on('listening', (_worker, { port }) => {
    if (ports.push(port) === 2) void run(port);
  });
  cluster.fork();
  cluster.fork();
} else {
  createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
}

async function run(port: number): Promise<void> {
  const stopped = cluster.workers?.[1];
  stopped?.process.kill('SIGSTOP');
  const clients = [visit(port), visit(port)];
  await Promise.race(clients);
  console.log('one client has its answer');
  stopped?.process.kill('SIGKILL');
  const results = await Promise.all(clients);
  console.log(`${results.filter((result) => result === 'hello').length} of 2 clients have an answer${results.includes('TimeoutError') ? ', one has waited in vain' : ''}`);
  cluster.disconnect(() => process.exit());
}

/** What a client gets. It never rejects. */
async function visit(port: number): Promise<string> {
  try {
    const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(PATIENCE) });
    return await reply.text();
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
