/**
 * A blocked worker: JavaScript that runs without a pause keeps a process from taking its connections.
 *
 *   npx tsx test/examples/blocked_worker.ts
 *
 * One request blocks the event loop of its worker with 600 ms of work. Eight more clients come meanwhile. The primary hands
 * connections only to workers that take them: those that are already in flight to the blocked worker wait, the others
 * go to the free one.
 */
import { createServer } from 'node:http';
import cluster from '../../lib/cluster';

/** Milliseconds of processor time: on a busy machine the block lasts longer, like the requests of the others. */
const BLOCK = 600;
const CLIENTS = 8;

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    if (++listening === 2) void run(port);
  });
  cluster.fork();
  cluster.fork();
} else {
  createServer((request, response) => {
    if (request.url === '/block') {
      process.send?.('blocked from now on');
      const began = used();
      while (used() - began < BLOCK) { /* Nothing else runs in this worker. */ }
    }
    response.end(`worker ${cluster.worker?.id}`);
  }).listen(0, '127.0.0.1');
}

/** Processor time of this process, in milliseconds. */
function used(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function run(port: number): Promise<void> {
  const blocked = new Promise<void>((resolve) => cluster.once('message', () => resolve()));
  const blocking = visit(port, '/block');
  await blocked;
  const others = await Promise.all(Array.from({ length: CLIENTS }, () => visit(port, '/')));
  const { worker, place } = await blocking;
  const elsewhere = others.filter((other) => other.worker !== worker);
  console.log(`${others.length} clients have an answer while or after one worker was blocked`);
  console.log(`more than half of them from the other worker: ${elsewhere.length > CLIENTS / 2}`);
  console.log(`none of these waited for the end of the block: ${elsewhere.every((other) => other.place < place)}`);
  cluster.disconnect();
}

/** How many clients have an answer. */
let answered = 0;

/** One request. `worker`: who has answered it. `place`: how many clients were answered before this one. */
async function visit(port: number, path: string): Promise<{ worker: string; place: number }> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  return { worker: await reply.text(), place: answered++ };
}
