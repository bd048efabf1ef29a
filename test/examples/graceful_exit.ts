/**
 * An uncaught exception, and nobody is cut off: the worker stops accepting, finishes what is in
 * progress, and ends; its successor serves in the meantime.
 *
 *   npx tsx test/examples/graceful_exit.ts
 *
 * After an uncaught exception the state of a process is unknown: it must end. But its other requests
 * have done nothing wrong. So the worker
 *   1. tells the primary, which forks a successor at once;
 *   2. answers what is in progress with `Connection: close`, so that no client comes back on it;
 *   3. disconnects: no new connections, and the end when the last one has closed;
 *   4. ends at a deadline, whatever is still open.
 * The first failure here ends by 3, the second by 4.
 */
import { once } from 'node:events';
import { createServer, request, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Worker } from 'node:cluster';
import cluster from '../../lib/cluster';

/** How long a failed worker may finish what it began, in milliseconds. */
const DEADLINE = 5000;

if (cluster.isPrimary) void runPrimary();
else runWorker();

function runWorker(): void {
  const inProgress = new Set<ServerResponse>();
  const server = createServer((incoming, response) => {
    inProgress.add(response);
    response.on('close', () => inProgress.delete(response));
    // The response is sent. The exception follows in a callback, where no `try` catches it.
    if (incoming.url === '/fail') response.end('soon', () => setImmediate(() => { throw new Error('a bug'); }));
    else incoming.on('end', () => response.end(`worker ${cluster.worker?.id}`)).resume();
  });
  process.once('uncaughtException', (error) => {
    process.exitCode = 1;
    setTimeout(() => process.exit(2), DEADLINE).unref();
    process.send?.({ failed: error.message });
    for (const response of inProgress) {
      if (!response.headersSent) response.setHeader('connection', 'close');
    }
    cluster.worker?.disconnect();
  });
  server.listen(0, '127.0.0.1');
}

async function runPrimary(): Promise<void> {
  cluster.on('message', (worker, { failed }: { failed: string }) => {
    console.log(`worker ${worker.id} failed: ${failed}`);
    console.log(`worker ${cluster.fork().id} is its successor`);
  });
  cluster.on('exit', (worker, code) => console.log(`worker ${worker.id} ended with ${code}`));

  // Two workers: with only one, nobody would listen on the port from its end until its successor listens.
  const port = await forkAndListen();
  await forkAndListen();

  // Connections go to the workers in turn: the slow one to 1, the next to 2, the failure to 1 again.
  const slow = await begin(port);
  await get(port, '/');
  const { successor } = await fail(port);
  console.log(`a new request: ${await get(port, '/')}`);
  const first = ended(1);
  const finished = await finish(slow);
  console.log(`the slow one: ${await text(finished)}, connection: ${finished.headers.connection}`);
  await first;
  await successor;
  // The next request is for worker 3 when worker 2 had the last one.
  let last: string;
  do last = await get(port, '/'); while (last !== 'worker 2');

  // Now workers 3 and 2, in this order; this time the client never ends its request.
  const third = ended(3);
  const endless = await begin(port);
  const cutOff = once(endless, 'error');
  await get(port, '/');
  const { successor: fourth } = await fail(port);
  await third;
  const [{ code }] = await cutOff as [NodeJS.ErrnoException];
  console.log(`the endless one: ${code}`);
  console.log(`a new request: ${await get(port, '/')}`);
  await fourth;
  cluster.disconnect();
}

async function forkAndListen(): Promise<number> {
  const [{ port }] = await once(cluster.fork(), 'listening') as [{ port: number }];
  return port;
}

async function ended(id: number): Promise<void> {
  await once(cluster.workers?.[id] as Worker, 'exit');
}

/** Makes a worker fail; returns when the primary has its message. `successor` resolves when the new worker listens. */
async function fail(port: number): Promise<{ successor: Promise<unknown> }> {
  const successor = once(cluster, 'listening');
  const told = once(cluster, 'message');
  await get(port, '/fail');
  await told;
  return { successor };
}

/** Sends the head of a request, but not its end. Returns when a worker has replied '100 Continue': it is handling the request then. */
async function begin(port: number): Promise<ClientRequest> {
  const headers = { expect: '100-continue', connection: 'keep-alive' };
  const begun = request({ host: '127.0.0.1', port, method: 'POST', agent: false, headers });
  begun.flushHeaders();
  await once(begun, 'continue');
  return begun;
}

async function finish(begun: ClientRequest): Promise<IncomingMessage> {
  begun.end();
  const [response] = await once(begun, 'response') as [IncomingMessage];
  return response;
}

/** A request on a connection of its own. */
async function get(port: number, path: string): Promise<string> {
  return text(await finish(request({ host: '127.0.0.1', port, path, agent: false })));
}
