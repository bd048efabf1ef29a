/**
 * The life of a worker, as the events that the primary sees.
 *
 *   npx tsx test/examples/life_events.ts
 *
 * Each event comes twice: first on the worker, then on the cluster. 'setup' and 'fork' have no
 * counterpart on the worker, since nobody could listen there yet.
 */
import { createServer } from 'node:net';
import cluster from '../../lib/cluster';

if (cluster.isPrimary) {
  cluster.on('setup', (settings) => console.log(`setup, for ${settings.args?.join(' ')}`));
  cluster.setupPrimary({ args: ['a-worker'] });
  cluster.on('fork', (worker) => console.log(`cluster: fork, worker ${worker.id} is ${stateOf(worker)}`));
  cluster.on('online', (worker) => console.log(`cluster: online, worker ${worker.id} is ${stateOf(worker)}`));
  cluster.on('message', (_worker, message) => console.log(`cluster: message '${message}'`));
  cluster.on('listening', (worker, { addressType, address }) => {
    console.log(`cluster: listening on ${address} (IPv${addressType})`);
    worker.disconnect();
  });
  cluster.on('disconnect', (worker) => console.log(`cluster: disconnect, of its own will: ${worker.exitedAfterDisconnect}`));
  cluster.on('exit', (_worker, code, signal) => console.log(`cluster: exit, code ${code}, signal ${signal}`));

  const worker = cluster.fork();
  for (const event of ['online', 'message', 'listening', 'disconnect', 'exit']) {
    worker.on(event, () => console.log(`worker: ${event}`));
  }
  console.log(`fork() returned worker ${worker.id}, connected: ${worker.isConnected()}, dead: ${worker.isDead()}`);
} else {
  process.send?.('hello');
  createServer().listen(0, '127.0.0.1');
}

/** `worker.state` is as old as cluster, and in none of its types. */
function stateOf(worker: object): string {
  return (worker as { state: string }).state;
}
