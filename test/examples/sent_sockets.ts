/**
 * Single connections, sent to children: the parent accepts, decides, and hands the socket on.
 *
 *   npx tsx test/examples/sent_sockets.ts
 *
 * `pauseOnConnect` keeps the parent from reading a byte, so that the child reads all of them. After
 * `send` the socket is the child's: the parent's object is empty.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fork } from '../../lib/child_process';

if (process.argv[2] === 'child') runChild(String(process.argv[3]));
else void runParent();

function runChild(name: string): void {
  process.on('message', (message, socket) => {
    if (message !== 'connection' || !(socket instanceof Socket)) return;
    socket.once('data', (request: Buffer) => socket.end(`${name} read '${request.toString()}'`));
  });
}

async function runParent(): Promise<void> {
  const children: ChildProcess[] = ['normal', 'special'].map((name) => fork(__filename, ['child', name]));
  let accepted = 0;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = children[accepted++ % children.length] as ChildProcess;
    child.send('connection', socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  for (const request of ['one', 'two', 'three', 'four']) {
    const client = connect(port, '127.0.0.1');
    client.write(request);
    console.log(await text(client));
  }

  // Waits for the children's word that they hold none of its sockets any more.
  server.close(() => {
    console.log('no connection is left');
    for (const child of children) child.disconnect();
  });
}
