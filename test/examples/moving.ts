/**
 * A client keeps one connection, and its worker gives it away: the same connection is answered by the other worker.
 *
 *   npx tsx test/examples/moving.ts
 *
 * First the primary asks for the connection, then the worker gives it back by itself. At the end a worker whose app has
 * put something of its own on the socket keeps it.
 */
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import cluster from '../../lib/cluster';

if (cluster.isPrimary) void runPrimary();
else runWorker();

function runWorker(): void {
  const server = createServer((request, response) => {
    if (request.url === '/mine') Object.assign(request.socket, { mine: true });
    response.end(`worker ${cluster.worker?.id}, from port ${request.socket.remotePort}`);
  });
  server.listen(0, '127.0.0.1');
  process.on('message', () => void cluster.worker?.returnIdle().then((moved) => process.send?.(moved)));
}

async function runPrimary(): Promise<void> {
  const workers = [cluster.fork(), cluster.fork()];
  const [[{ port }]] = await Promise.all(workers.map((worker) => once(worker, 'listening'))) as [[{ port: number }]];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path = '/'): Promise<string> => {
    const [response] = await once(get({ port, host: '127.0.0.1', agent, path }), 'response') as [IncomingMessage];
    return (await response.setEncoding('utf8').toArray()).join('');
  };

  const before = await ask();
  console.log(`before: ${named(before)}`);
  const giver = before.startsWith('worker 1') ? 1 : 2;
  cluster.workers?.[giver]?.returnIdle();
  await moves(1);
  const after = await ask();
  console.log(`after: ${named(after)}, the same connection: ${before.split(', ')[1] === after.split(', ')[1]}`);

  const taker = cluster.workers?.[3 - giver];
  taker?.send('give it back');
  if (taker !== undefined) console.log(`it gives back ${String((await once(taker, 'message'))[0])}`);
  console.log(`and again: ${named(await ask('/mine'))}`);
  const first = cluster.workers?.[giver];
  first?.send('give it back');
  if (first !== undefined) console.log(`with a property of the app: it gives back ${String((await once(first, 'message'))[0])}`);

  agent.destroy();
  cluster.disconnect();

  /** 'the first' is the worker that answered first. */
  function named(answer: string): string {
    return answer.startsWith(`worker ${before.slice(7, 8)}`) ? 'the first worker' : 'the other worker';
  }

  async function moves(count: number): Promise<void> {
    while (cluster.counters().moved < count) await new Promise(setImmediate);
  }
}
