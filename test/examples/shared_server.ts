/**
 * A listening server, sent to children over the channel: all who hold it compete for its connections.
 *
 *   npx tsx test/examples/shared_server.ts
 *
 * No cluster here, only `fork`. The parent listens and sends the server to two children; each gets a
 * copy of the socket, and the kernel decides who accepts. When the parent closes its own copy the
 * port stays open, and only the children answer. When they have gone too, nobody does.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, Server, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { fork } from '../../lib/child_process';

const CONNECTIONS = 20;

if (process.argv[2] === 'child') runChild(String(process.argv[3]));
else void runParent();

function runChild(name: string): void {
  process.on('message', (message, server) => {
    if (message === 'serve' && server instanceof Server) {
      server.on('connection', (socket: Socket) => socket.end(name));
      process.send?.('serving');
    }
  });
}

async function runParent(): Promise<void> {
  const server = createServer((socket) => socket.end('parent'));
  server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const children: ChildProcess[] = [];
  for (const name of ['child A', 'child B']) {
    const child = fork(__filename, ['child', name]);
    child.send('serve', server);
    await once(child, 'message');
    console.log(`${name} holds the server`);
    children.push(child);
  }

  console.log(`${CONNECTIONS} connections for three: ${await whoAnswers(port)}`);
  server.close();
  await once(server, 'close');
  console.log(`${CONNECTIONS} connections for two: ${await whoAnswers(port)}`);

  for (const child of children) {
    child.kill();
    await once(child, 'exit');
  }
  console.log(`and without children: ${await answer(port).catch((error: NodeJS.ErrnoException) => error.code)}`);
}

/** Connects many times at once; who answered, each name once, and how many did. */
async function whoAnswers(port: number): Promise<string> {
  const answers = await Promise.all(Array.from({ length: CONNECTIONS }, () => answer(port)));
  return `${answers.length} answers from ${[...new Set(answers)].sort().join(', ')}`;
}

async function answer(port: number): Promise<string> {
  return text(connect(port, '127.0.0.1'));
}
