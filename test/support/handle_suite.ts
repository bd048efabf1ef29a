/** What every channel that carries handles must do, whoever sits at its other end. */
import type { ChildProcess } from 'node:child_process';
import dgram from 'node:dgram';
import { rmSync, mkdtempSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { handleOf, isTcp, isUdp } from '../../internal/native/handles';
import { Inbox, event } from './children';
import { allOf, asked, closed, connected, connection, datagram, listening, portOf } from './handles';

/** `fork` starts test/fixtures/unit-handles-child.js. */
export function handleSuite(fork: () => ChildProcess): void {
  const start = (): { child: ChildProcess; inbox: Inbox<Record<string, unknown>> } => {
    const child = fork();
    return { child, inbox: new Inbox(child) };
  };
  const send = (child: ChildProcess, message: object, handle?: unknown, options?: object): Promise<void> =>
    new Promise((resolve, reject) => child.send(message, handle as never, options as never, (error) => (error ? reject(error) : resolve())));

  test('I-26, I-32: a net.Server: both can accept, each with its own fd', async () => {
    const { child, inbox } = start();
    const server = await listening();
    const port = portOf(server);
    child.send({ ask: 'serve' }, server);
    expect(await inbox.next()).toEqual({ came: 'net.Server', listening: true, port });
    await closed(server);
    expect(await asked(port)).toBe(`served by ${child.pid}`);
  });

  test('I-28: a net.Server stays the sender\'s: it accepts when the receiver has let go', async () => {
    const { child, inbox } = start();
    const server = await listening();
    child.send({ ask: 'what' }, server);
    expect((await inbox.next())['came']).toBe('net.Server');
    server.on('connection', (socket) => socket.end('served by the sender'));
    expect(server.listening).toBe(true);
    child.disconnect();
    await event(child, 'exit');
    expect(await asked(portOf(server))).toBe('served by the sender');
    await closed(server);
  });

  test('I-26, I-35: a server at a unix path', async () => {
    const { child, inbox } = start();
    const directory = mkdtempSync(path.join(tmpdir(), 'unit-'));
    const at = path.join(directory, 's');
    const server = await listening(at);
    child.send({ ask: 'serve' }, server);
    expect((await inbox.next())['came']).toBe('net.Server');
    const answer = asked(at);
    // The sender's server is asleep: nobody but the child accepts.
    server.on('connection', (socket) => socket.end(`served by ${child.pid}`));
    expect(await answer).toBe(`served by ${child.pid}`);
    await closed(server);
    rmSync(directory, { recursive: true });
  });

  test('I-28: a net.Socket moves: the sender keeps nothing, the receiver speaks and ends it', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection();
    accepted.setTimeout(5_000);
    const text = allOf(client);
    child.send({ ask: 'answer', text: 'from the child' }, accepted);
    expect(handleOf(accepted)).toBe(null);
    expect(accepted.timeout).toBe(0);
    expect(await inbox.next()).toEqual({ came: 'net.Socket' });
    expect(await text).toBe('from the child'); // its end came, so no copy is open here
  });

  test('I-28: the server that accepted a socket counts it no more', async () => {
    const { child, inbox } = start();
    const server = await listening();
    const [client, [accepted]] = await Promise.all([connected(portOf(server)), event<[net.Socket]>(server, 'connection')]);
    const count = (): number => (server as unknown as { _connections: number })._connections;
    expect(count()).toBe(1);
    const text = allOf(client);
    child.send({ ask: 'answer', text: 'x' }, accepted);
    expect(count()).toBe(0);
    await inbox.next();
    expect(await text).toBe('x');
    child.disconnect();
    await event(child, 'exit');
    server.close();
  });

  test('I-28: with keepOpen both ends of the fork speak on it', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection();
    child.send({ ask: 'write', text: 'child, ' }, accepted, { keepOpen: true });
    expect(handleOf(accepted)).not.toBe(null);
    const text = allOf(client);
    expect(await inbox.next()).toEqual({ came: 'net.Socket' });
    accepted.end('parent').resume();
    expect(await text).toBe('child, parent');
  });

  test('a socket of a unix path', async () => {
    const { child, inbox } = start();
    const directory = mkdtempSync(path.join(tmpdir(), 'unit-'));
    const at = path.join(directory, 's');
    const server = await listening(at);
    const [client, [accepted]] = await Promise.all([connected(at), event<[net.Socket]>(server, 'connection')]);
    const text = allOf(client);
    child.send({ ask: 'answer', text: 'over a path' }, accepted);
    expect(await inbox.next()).toEqual({ came: 'net.Socket' });
    expect(await text).toBe('over a path');
    child.disconnect();
    await event(child, 'exit');
    server.close();
    rmSync(directory, { recursive: true });
  });

  test('what the client wrote before the hand-over reaches the receiver', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection({ pauseOnConnect: true });
    const text = allOf(client);
    await new Promise<void>((resolve) => client.write('kept ', () => resolve()));
    child.send({ ask: 'echo' }, accepted);
    await inbox.next();
    client.end('in order');
    expect(await text).toBe('kept in order');
  });

  test('I-26, I-32: a dgram.Socket', async () => {
    const { child, inbox } = start();
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await event(socket, 'listening');
    const { port } = socket.address();
    child.send({ ask: 'datagram' }, socket as never);
    expect(await inbox.next()).toEqual({ came: 'dgram.Socket', port });
    await closed(socket);
    expect(await datagram(port, 'ping')).toBe('got ping');
  });

  test('I-26: a native listening handle', async () => {
    const { child, inbox } = start();
    const server = await listening();
    const port = portOf(server);
    child.send({ ask: 'native', listen: true }, handleOf(server) as never);
    expect(await inbox.next()).toEqual({ came: 'native TCP' });
    await closed(server);
    expect(await asked(port)).toBe(`served by ${child.pid}`);
  });

  test('I-26, I-28: a native connection is borrowed: the sender closes its own copy', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection();
    const text = allOf(client);
    await send(child, { ask: 'native' }, handleOf(accepted));
    expect(handleOf(accepted)).not.toBe(null);
    expect(await inbox.next()).toEqual({ came: 'native TCP' });
    accepted.destroy();
    expect(await text).toBe('from a native handle');
  });

  test('I-27: what has no handle any more goes as the bare message', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection();
    accepted.destroy();
    await event(accepted, 'close');
    child.send({ ask: 'what', text: 'destroyed' }, accepted);
    child.send({ ask: 'what', text: 'not listening' }, net.createServer());
    child.send({ ask: 'what', text: 'never connected' }, new net.Socket());
    const twice = await connection();
    const answered = allOf(twice.client);
    child.send({ ask: 'answer', text: 'once' }, twice.accepted);
    child.send({ ask: 'what', text: 'sent before' }, twice.accepted);
    expect([await inbox.next(), await inbox.next(), await inbox.next(), await inbox.next(), await inbox.next()]).toEqual([
      { came: 'none', text: 'destroyed' }, { came: 'none', text: 'not listening' }, { came: 'none', text: 'never connected' },
      { came: 'net.Socket' }, { came: 'none', text: 'sent before' },
    ]);
    expect(await answered).toBe('once');
    client.destroy();
  });

  test('from the child: a net.Server', async () => {
    const { child, inbox } = start();
    child.send({ ask: 'giveServer' });
    const [message, handle] = await inbox.nextWithHandle();
    const server = handle as net.Server;
    expect(server).toBeInstanceOf(net.Server);
    expect([server.listening, portOf(server)]).toEqual([true, message['port']]);
    server.on('connection', (socket) => socket.end('served by the parent'));
    child.disconnect();
    await event(child, 'exit');
    expect(await asked(portOf(server))).toBe('served by the parent');
    await closed(server);
  });

  test.each([[false], [true]])('from the child: a net.Socket, keepOpen %s', async (keepOpen) => {
    const { child, inbox } = start();
    child.send({ ask: 'giveSocket', keepOpen });
    const { port } = await inbox.next();
    const client = await connected(port as number);
    const text = allOf(client);
    const [message, handle] = await inbox.nextWithHandle();
    expect(message).toBe('socket');
    expect(handle).toBeInstanceOf(net.Socket);
    const socket = handle as net.Socket;
    if (keepOpen) expect(await text).toBe('from the sender'); // the sender's end is everybody's: shutdown
    socket.end(keepOpen ? '' : 'from the receiver').resume();
    if (!keepOpen) expect(await text).toBe('from the receiver');
    socket.on('error', () => {}).destroy();
  });

  test('from the child: a dgram.Socket', async () => {
    const { child, inbox } = start();
    child.send({ ask: 'giveDatagram' });
    const [message, handle] = await inbox.nextWithHandle();
    const socket = handle as dgram.Socket;
    expect(socket).toBeInstanceOf(dgram.Socket);
    expect(socket.address().port).toBe(message['port']);
    socket.once('message', (bytes, { port }) => socket.send(`parent got ${String(bytes)}`, port, '127.0.0.1'));
    expect(await datagram(message['port'] as number, 'ping')).toBe('parent got ping');
    await closed(socket);
  });

  test('from the child: a native handle', async () => {
    const { child, inbox } = start();
    child.send({ ask: 'giveNative' });
    const [message, handle] = await inbox.nextWithHandle();
    expect([isTcp(handle), isUdp(handle)]).toEqual([true, false]);
    const server = net.createServer((socket) => socket.end('on a native handle')).listen(handle as never);
    await event(server, 'listening');
    expect(await asked(message['port'] as number)).toBe('on a native handle');
    await closed(server);
  });

  test('twenty handles and messages between them arrive in order, each with its own', async () => {
    const { child, inbox } = start();
    const server = await listening();
    const pairs: { client: net.Socket; accepted: net.Socket }[] = [];
    for (let at = 0; at < 20; at++) {
      const [client, [accepted]] = await Promise.all([connected(portOf(server)), event<[net.Socket]>(server, 'connection')]);
      pairs.push({ client, accepted });
    }
    pairs.forEach(({ accepted }, at) => {
      child.send({ handle: at }, accepted);
      child.send({ plain: at });
    });
    const ends = pairs.map(({ client }) => allOf(client));
    for (let at = 0; at < 20; at++) {
      expect(await inbox.next()).toEqual({ order: { handle: at }, came: 'net.Socket' });
      expect(await inbox.next()).toEqual({ order: { plain: at }, came: 'none' });
    }
    await Promise.all(ends); // every client saw its end, so no copy is left anywhere
    child.disconnect();
    await event(child, 'exit');
    server.close();
  });

  test('a large message with a handle arrives whole, with its handle', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection();
    const end = allOf(client);
    child.send({ large: 'ä'.repeat(600_000) }, accepted);
    child.send({ after: true });
    const first = await inbox.next() as { order: { large: string }; came: string };
    expect([first.order.large.length, first.came]).toEqual([600_000, 'net.Socket']);
    expect(await inbox.next()).toEqual({ order: { after: true }, came: 'none' });
    await end;
  });

  test('I-57: handles that were sent before the end arrive before it', async () => {
    const { child, inbox } = start();
    const { client, accepted } = await connection();
    const text = allOf(client);
    child.send({ ask: 'answer', text: 'served' }, accepted);
    child.send({ ask: 'leave' });
    expect(await inbox.next()).toEqual({ came: 'net.Socket' });
    expect(await text).toBe('served');
    await event(child, 'exit');
  });

  test('I-56, I-57: five sockets sent before disconnect() all arrive, and each client is answered', async () => {
    const { child, inbox } = start();
    child.send({ ask: 'what' });
    await inbox.next(); // it reads by now
    const pairs = await Promise.all(Array.from({ length: 5 }, () => connection()));
    const texts = Promise.all(pairs.map(({ client }) => allOf(client)));
    pairs.forEach(({ accepted }, at) => child.send({ ask: 'answerQuietly', text: `${at}` }, accepted));
    const ended = event(child, 'exit');
    child.disconnect();
    expect(await texts).toEqual(['0', '1', '2', '3', '4']);
    await ended;
  });

  test('I-57: five sockets that a child sends before it exits all arrive', async () => {
    const { child, inbox } = start();
    child.send({ ask: 'giveFiveAndLeave' });
    const { port } = await inbox.next();
    const clients = await Promise.all(Array.from({ length: 5 }, () => connected(port as number)));
    const texts = Promise.all(clients.map(allOf));
    for (let at = 0; at < 5; at++) {
      const [message, handle] = await inbox.nextWithHandle();
      expect(message).toEqual({ at });
      (handle as net.Socket).end('answered');
    }
    expect(await texts).toEqual(Array(5).fill('answered'));
  });

  test('a child that is killed with a handle on its way: the client is not left alone', async () => {
    const { child } = start();
    child.kill('SIGSTOP');
    const { client, accepted } = await connection();
    const text = allOf(client);
    const ended = Promise.all([event(child, 'disconnect'), event(child, 'exit')]);
    child.send({ ask: 'answer', text: 'never' }, accepted);
    child.kill('SIGKILL');
    await ended;
    expect(await text).toBe('');
  });
}
