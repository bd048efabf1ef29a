/**
 * Round robin, and one connection on its way: two workers, one client.
 *
 *   npx tsx test/examples/one_connection.ts                                    with Node's own cluster
 *   npx tsx --require ./dist/lib/register.js test/examples/one_connection.ts   with ours
 *
 * The output is the same. What happens on the channel is not: `cluster-internals record` shows it.
 */
import cluster from 'node:cluster';
import { createServer } from 'node:http';

const WORKERS = 2;

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    if (++listening === WORKERS) void visit(port);
  });
  for (let started = 0; started < WORKERS; started++) cluster.fork();
} else {
  createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
}

async function visit(port: number): Promise<void> {
  const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  console.log(`the client got: ${await reply.text()}`);
  cluster.disconnect(() => console.log('both workers have left'));
}
