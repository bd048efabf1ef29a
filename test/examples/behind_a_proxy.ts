/**
 * One port for each process, and a proxy in front: what people did before processes could share a port.
 *
 *   npx tsx test/examples/behind_a_proxy.ts
 *
 * Each worker listens on a port of its own (`exclusive`: it does not ask the primary). The primary is the proxy: for each
 * client it opens a second connection to one of the ports, and copies bytes both ways as long as the client stays.
 * With a shared port (hello.ts) a connection costs one message, and then the primary has nothing to do with it.
 */
import { connect, createServer, type AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import cluster from '../../lib/cluster';

const WORKERS = 2;

if (cluster.isPrimary) {
  const ports: number[] = [];
  // The primary is not asked, so it emits no 'listening': each worker says where it listens.
  cluster.on('message', (_worker, port: number) => {
    if (ports.push(port) === WORKERS) runProxy(ports);
  });
  for (let started = 0; started < WORKERS; started++) cluster.fork();
} else {
  const server = createHttpServer((_request, response) => response.end('hello'));
  // The cluster does not know of this server, so the worker closes it itself.
  process.once('disconnect', () => server.close());
  server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => process.send?.((server.address() as AddressInfo).port));
}

function runProxy(ports: readonly number[]): void {
  let next = 0;
  let sockets = 0;
  const proxy = createServer((client) => {
    const worker = connect(ports[next++ % ports.length] ?? 0, '127.0.0.1');
    sockets += 2;
    for (const [one, other] of [[client, worker], [worker, client]] as const) {
      one.pipe(other);
      one.on('error', () => other.destroy());
    }
  });
  proxy.listen(0, '127.0.0.1', () => {
    void visitAll((proxy.address() as AddressInfo).port).then(() => {
      console.log(`sockets of the primary for 4 clients: ${sockets}`);
      proxy.close();
      cluster.disconnect();
    });
  });
}

async function visitAll(port: number): Promise<void> {
  for (let client = 1; client <= 4; client++) {
    const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    console.log(`client ${client}: ${await reply.text()}`);
  }
}
