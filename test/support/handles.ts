/** Servers, sockets and datagram sockets of a test, and what the other end of them reads. */
import dgram from 'node:dgram';
import net from 'node:net';
import { event, within } from './children';

/** A server that listens on the loopback address, or at `path`. The caller closes it. */
export async function listening(at: string | number = 0): Promise<net.Server> {
  const server = net.createServer();
  if (typeof at === 'string') server.listen(at);
  else server.listen(at, '127.0.0.1');
  await event(server, 'listening');
  return server;
}

export const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;

/** A client of `at`, connected. */
export async function connected(at: number | string): Promise<net.Socket> {
  const client = typeof at === 'number' ? net.connect(at, '127.0.0.1') : net.connect(at);
  client.on('error', () => {});
  await event(client, 'connect');
  return client;
}

/** Both ends of a new connection; the server that accepted it has been closed. */
export async function connection(options: net.ServerOpts = {}): Promise<{ client: net.Socket; accepted: net.Socket }> {
  const server = net.createServer(options).listen(0, '127.0.0.1');
  await event(server, 'listening');
  const [client, [accepted]] = await Promise.all([connected(portOf(server)), event<[net.Socket]>(server, 'connection')]);
  server.close();
  return { client, accepted };
}

/** What comes on this socket until its other end is closed by everybody who had it. */
export function allOf(client: net.Socket): Promise<string> {
  return within(20_000, 'the end of the connection', (resolve) => {
    let text = '';
    client.setEncoding('utf8').on('data', (data: string) => { text += data; });
    client.once('close', () => resolve(text));
  });
}

/** What a server at `at` says to one client. */
export async function asked(at: number | string): Promise<string> {
  return allOf(await connected(at));
}

/** Sends one datagram to `port` and gives the answer. */
export async function datagram(port: number, text: string): Promise<string> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await event(socket, 'listening');
  const answer = event<[Buffer]>(socket, 'message');
  socket.send(text, port, '127.0.0.1');
  const [bytes] = await answer;
  socket.close();
  return bytes.toString();
}

export async function closed(closer: { close(closed: () => void): unknown }): Promise<void> {
  await within<void>(20_000, 'the close', (resolve) => closer.close(() => resolve()));
}
