/**
 * Messages both ways: the primary asks, its workers answer.
 *
 *   npx tsx test/examples/messages.ts
 *
 * `worker.send` in the primary arrives as 'message' on the worker's `process` and on
 * `cluster.worker`; `process.send` in the worker arrives on the worker object and on the cluster.
 * With `serialization: 'advanced'` a Map, a Date or a bigint arrive as what they are.
 *
 * The worker speaks first: a worker is 'online' before its program has run, and what is sent to it
 * before the program listens is lost (in Node too).
 */
import { once } from 'node:events';
import cluster from '../../lib/cluster';

interface Order { readonly name: string; readonly since: Date; readonly prices: Map<string, bigint> }

if (cluster.isPrimary) void runPrimary();
else runWorker();

async function runPrimary(): Promise<void> {
  cluster.setupPrimary({ serialization: 'advanced' });
  cluster.on('message', (worker, message) => console.log(`worker ${worker.id} says`, message));
  for (const name of ['first', 'second']) {
    const worker = cluster.fork();
    await once(worker, 'message');
    worker.send({ name, since: new Date(0), prices: new Map([['tea', 3n]]) } satisfies Order);
    await once(worker, 'message');
    worker.send('enough');
    await once(worker, 'exit');
    console.log(`worker ${worker.id} has left`);
  }
}

function runWorker(): void {
  process.on('message', (message: 'enough' | Order) => {
    if (message === 'enough') {
      cluster.worker?.disconnect();
      return;
    }
    const { name, since, prices } = message;
    cluster.worker?.send({ thanks: name, year: since.getUTCFullYear(), double: (prices.get('tea') ?? 0n) * 2n });
  });
  process.send?.('ready');
}
