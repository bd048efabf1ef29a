/**
 * A message with a handle: the primary accepts a connection itself, and sends it to a worker with a message.
 *
 *   npx tsx test/examples/sent_handle.ts                                    with Node's own cluster
 *   npx tsx --require ./dist/lib/register.js test/examples/sent_handle.ts   with ours
 *
 * On the channel a handle travels as a number beside the bytes: the kernel makes of the sender's fd a new fd of the
 * receiver. Node wraps the message in an envelope, NODE_HANDLE, waits for NODE_HANDLE_ACK, and sends the next only then.
 * Between two processes of ours neither is needed.
 */
import cluster from 'node:cluster';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('online', () => {
    const server = createServer({ pauseOnConnect: true }, (socket) => worker.send({ yours: 'a connection' }, socket));
    server.listen(0, '127.0.0.1', () => {
      connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
        .on('data', (text) => console.log(`the client reads: ${String(text)}`))
        .on('close', () => {
          server.close();
          worker.disconnect();
        });
    });
  });
  worker.on('exit', (code) => console.log(`worker 1 left with ${code}`));
} else {
  process.on('message', (message, handle) => {
    if (handle instanceof Socket) handle.end(`worker 1 was given ${JSON.stringify(message)}`);
  });
}
