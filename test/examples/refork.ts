/**
 * A worker dies, and is forked anew: the port never closes, since the primary holds it.
 *
 *   npx tsx test/examples/refork.ts
 *
 * `exitedAfterDisconnect` tells a crash from a farewell: only who crashed is replaced.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import cluster from '../../lib/cluster';

if (cluster.isPrimary) void runPrimary();
else createServer((_request, response) => response.end(`worker ${cluster.worker?.id}`)).listen(0, '127.0.0.1');

async function runPrimary(): Promise<void> {
  cluster.on('exit', (worker, _code, signal) => {
    if (worker.exitedAfterDisconnect) {
      console.log(`worker ${worker.id} has left`);
    } else {
      console.log(`worker ${worker.id} was killed by ${signal}`);
      console.log(`worker ${cluster.fork().id} takes its place`);
    }
  });

  const first = cluster.fork();
  const second = cluster.fork();
  const [[{ port }]] = await Promise.all([once(first, 'listening'), once(second, 'listening')]) as [[{ port: number }], unknown];
  console.log(`before: ${await answers(port)}`);

  process.kill(Number(first.process.pid), 'SIGKILL');
  await once(cluster, 'exit');
  console.log(`meanwhile: ${await answers(port, 1)}`);
  await once(cluster, 'listening');
  console.log(`after: ${await answers(port)}`);

  cluster.disconnect();
}

/** Who answers, in order of their names. */
async function answers(port: number, count = 4): Promise<string> {
  const bodies: string[] = [];
  for (let request = 0; request < count; request++) {
    const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    bodies.push(await reply.text());
  }
  return [...new Set(bodies)].sort().join(', ');
}
