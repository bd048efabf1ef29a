/**
 * UDP: two workers bind one port, and the kernel gives each datagram to one of them.
 *
 *   npx tsx test/examples/udp.ts
 *
 * A datagram is nothing that a primary could hand over, so the workers share the socket itself. Ten
 * questions get ten answers; who answers is the kernel's choice. When one worker has left, the other
 * answers all.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import cluster from '../../lib/cluster';

const QUESTIONS = 10;

if (cluster.isPrimary) void runPrimary();
else runWorker();

function runWorker(): void {
  const socket = createSocket('udp4');
  socket.on('message', (question, { address, port }) => {
    socket.send(`worker ${cluster.worker?.id} got ${question.toString()}`, port, address);
  });
  socket.bind(0, '127.0.0.1');
}

async function runPrimary(): Promise<void> {
  const workers = [cluster.fork(), cluster.fork()] as const;
  const bound = await Promise.all(workers.map((worker) => once(worker, 'listening')));
  const ports = bound.map(([info]) => (info as { port: number }).port);
  console.log(`both workers have port ${ports[0]}: ${ports[0] === ports[1]}`);

  const client = createSocket('udp4');
  const port = Number(ports[0]);
  let answers = 0;
  for (let question = 1; question <= QUESTIONS; question++) {
    const answer = await ask(client, port, `question ${question}`);
    if (/^worker [12] got question \d+$/.test(answer) && answer.endsWith(` ${question}`)) answers++;
  }
  console.log(`${answers} of ${QUESTIONS} questions are answered`);

  workers[0].disconnect();
  await once(workers[0], 'exit');
  console.log(await ask(client, port, 'the last one'));
  client.close();
  workers[1].disconnect();
}

async function ask(client: Socket, port: number, question: string): Promise<string> {
  const answered = once(client, 'message', { signal: AbortSignal.timeout(30_000) });
  client.send(question, port, '127.0.0.1');
  const [answer] = await answered as [Buffer];
  return answer.toString();
}
