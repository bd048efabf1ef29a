/**
 * D58: which connections may leave a process. Each fact about node:http on which internal/native/idle_connections.ts
 * relies, on the Node that runs this test.
 */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Deliveries, ListeningServer } from '../../internal/child/deliveries';
import { FauxHandle } from '../../internal/child/faux_handle';
import { mayMove } from '../../internal/child/movable';
import { Returns } from '../../internal/child/returns';
import { handleOf } from '../../internal/native/handles';
import { idleConnections, idleParsers, isPlainHttp, letGo, putBack, takeIdle, waitAsKeptAlive, type TakenOut } from '../../internal/native/idle_connections';
import { openConnections } from '../../internal/native/servers';
import { own } from '../../internal/own_listeners';
import { closed, portOf } from '../support/handles';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

/** An http server with one connection, and its client. */
class Pair {
  readonly server: http.Server;
  client!: Socket;
  socket!: Socket;
  #text = '';

  constructor(listener: http.RequestListener = (_request, response) => void response.end('ok')) {
    this.server = http.createServer(listener);
    pairs.push(this);
  }

  async connect(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const connected = once(this.server, 'connection') as Promise<[Socket]>;
    this.client = net.connect(portOf(this.server), '127.0.0.1');
    this.client.on('error', () => undefined);
    this.client.on('data', (data) => { this.#text += String(data); });
    [this.socket] = await connected;
    return this;
  }

  /** Sends, and waits until the server has answered it so often. */
  async ask(text = REQUEST, answers = 1): Promise<void> {
    this.#text = '';
    this.client.write(text);
    await until(() => this.#text.split('HTTP/1.1 ').length > answers && this.#text.endsWith('ok'));
    await turn();
  }

  /** Sends what has no answer, and waits until the server has read it. */
  async send(text: string): Promise<void> {
    const before = this.socket.bytesRead;
    this.client.write(text);
    await until(() => this.socket.bytesRead === before + text.length);
    await turn();
  }

  take(): TakenOut | null {
    return takeIdle(this.server, this.socket, idleParsers(this.server));
  }

  get received(): string {
    return this.#text;
  }

  end(): void {
    this.client?.destroy();
    this.socket?.destroy();
    this.server.close();
  }
}

const pairs: Pair[] = [];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`it never holds: ${String(holds)}`);
    await turn();
  }
}

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.end();
});

describe('what is idle', () => {
  test('a connection between two requests: nobody reads while it is out, and what comes meanwhile is read afterwards', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    expect(idleConnections(pair.server)).toEqual([pair.socket]);
    const out = pair.take() as TakenOut;
    expect(out.handle).not.toBe(null);
    expect(handleOf(pair.socket)).toBe(null);
    let requests = 0;
    pair.server.on('request', () => requests++);
    pair.client.write(REQUEST);
    for (let at = 0; at < 50; at++) await turn();
    expect(requests).toBe(0);
    expect(pair.take()).toBe(null);
    putBack(out);
    await until(() => requests === 1);
  });

  test('a connection that has never sent a byte', async () => {
    const pair = await new Pair().connect();
    expect(idleConnections(pair.server)).toEqual([pair.socket]);
    const out = pair.take() as TakenOut;
    letGo(out);
  });

  test.each(['G', 'GET / HT', 'GET / HTTP/1.1\r\nHost: x\r\n', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab`])('not with a part of a request: %j', async (part) => {
    const pair = await new Pair((request, response) => void request.resume().on('end', () => response.end('ok'))).connect();
    await pair.send(part);
    expect(idleConnections(pair.server)).toEqual([]);
    expect(pair.take()).toBe(null);
    expect(handleOf(pair.socket)).not.toBe(null);
  });

  test('not with a part of a second, pipelined request', async () => {
    const pair = await new Pair().connect();
    await pair.ask(`${REQUEST}GE`);
    expect(pair.take()).toBe(null);
    await pair.ask('T / HTTP/1.1\r\nHost: x\r\n\r\n');
    letGo(pair.take() as TakenOut);
  });

  test('not while a response is open, or one of several', async () => {
    const open: http.ServerResponse[] = [];
    const pair = await new Pair((_request, response) => void open.push(response)).connect();
    await pair.send(REQUEST + REQUEST);
    expect(pair.take()).toBe(null);
    open[0]?.end('ok');
    await until(() => pair.received.endsWith('ok'));
    await turn();
    expect(pair.take()).toBe(null);
    open[1]?.end('ok');
    await until(() => pair.received.split('HTTP/1.1').length === 3);
    await turn();
    letGo(pair.take() as TakenOut);
  });

  test('not before the kernel has the whole response', async () => {
    const pair = await new Pair((_request, response) => void response.end(Buffer.alloc(64 << 20))).connect();
    pair.client.pause();
    await pair.send(REQUEST);
    expect(pair.take()).toBe(null);
  });

  test('not after an upgrade, and not while the app has paused it', async () => {
    const pair = await new Pair().connect();
    pair.socket.pause();
    expect(pair.take()).toBe(null);
    pair.socket.resume();
    await turn();
    await pair.ask();
    pair.server.on('upgrade', () => undefined);
    await pair.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    expect(idleConnections(pair.server)).toEqual([]);
    expect(pair.take()).toBe(null);
  });

  test('not when the client has ended its side, and not after the last response', async () => {
    const half = await new Pair().connect();
    await half.ask();
    half.client.end();
    await once(half.socket, 'end');
    expect(half.take()).toBe(null);
    const last = await new Pair().connect();
    await last.ask('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(last.take()).toBe(null);
  });

  test('not where the app reads the socket itself', async () => {
    const pair = await new Pair().connect();
    pair.socket.on('data', () => undefined);
    await pair.ask();
    expect(pair.take()).toBe(null);
  });

  test('not of a server that did not accept it', async () => {
    const pair = await new Pair().connect();
    const other = http.createServer();
    expect(takeIdle(other, pair.socket, idleParsers(pair.server))).toBe(null);
  });

  test('http alone: not https, http2 or net', async () => {
    const servers = [http.createServer(), https.createServer(), http2.createServer(), http2.createSecureServer(), net.createServer()];
    for (const server of servers) await once(server.listen(0), 'listening');
    expect(servers.map(isPlainHttp)).toEqual([true, false, false, false, false]);
    await Promise.all(servers.map(closed));
  });
});

describe('putBack and letGo', () => {
  test('put back: the app has noticed nothing, and the connection is served', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    const events: unknown[] = [];
    for (const event of ['close', 'end', 'pause', 'error']) pair.socket.on(event, () => events.push(event));
    const out = pair.take() as TakenOut;
    pair.client.write(REQUEST);
    await turn();
    expect(openConnections(pair.server)).toBe(1);
    putBack(out);
    await until(() => pair.received.split('HTTP/1.1').length === 3);
    expect(events).toEqual([]);
  });

  test('let go: the socket emits \'close\', and the server counts it no more', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    const out = pair.take() as TakenOut;
    const ended = once(pair.socket, 'close');
    letGo(out);
    await ended;
    expect(openConnections(pair.server)).toBe(0);
    const serverClosed = once(pair.server, 'close');
    pair.server.close();
    await serverClosed;
  });

  test('a getter of the app that throws: it is read on', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    Object.defineProperty(pair.socket, 'writable', { configurable: true, get: () => { throw new Error('no getter'); } });
    expect(() => pair.take()).toThrow('no getter');
    Reflect.deleteProperty(pair.socket, 'writable');
    await pair.ask();
  });

  test('destroyed while it is out, then put back: the fd is closed, and the client sees it', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    const out = pair.take() as TakenOut;
    pair.socket.destroy();
    await turn();
    const ended = once(pair.client, 'close');
    putBack(out);
    await ended;
  });
});

describe('what the app says', () => {
  const uncaught = (call: () => void): Promise<unknown> => new Promise((resolve) => {
    const others = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const other of others) process.on('uncaughtException', other as () => void);
      resolve(error);
    });
    call();
  });

  test('a socket that only node:http has touched may move, whatever requests it has carried', async () => {
    const pair = await new Pair((request, response) => {
      void request.socket.remoteAddress;
      request.socket.setTimeout(50_000);
      request.resume().on('end', () => response.end('ok'));
    }).connect();
    expect(mayMove(pair.socket, undefined)).toBe(true);
    await pair.ask();
    await pair.ask('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab');
    await pair.ask('PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab');
    await pair.ask(REQUEST + REQUEST, 2);
    pair.socket.once('close', own(() => undefined));
    expect(mayMove(pair.socket, undefined)).toBe(true);
  });

  test('a busy socket: the listener of its response is Node\'s. What a framework adds until the response ends does not count for the time when it is idle', async () => {
    const seen: boolean[] = [];
    const pair = await new Pair(({ socket }, response) => {
      seen.push(mayMove(socket, undefined));
      socket.on('close', () => undefined);
      seen.push(mayMove(socket, undefined), mayMove(socket, undefined, true), mayMove(socket, () => false, true));
      Object.assign(socket, { user: 'me' });
      seen.push(mayMove(socket, undefined, true));
      response.end('ok');
    }).connect();
    await pair.ask();
    expect(seen).toEqual([true, false, true, false, false]);
  });

  // The exception ended the callback of the primary's answer: the call of returnIdle never ended.
  test('a `destroy` or a getter of the app that throws: the call ends, and the connection that has moved is closed here', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    pair.socket.destroy = () => { throw new Error('no destroy'); };
    const returns = new Returns((_key, _handle, answered) => { setImmediate(answered, true); return true; }, () => () => true);
    returns.listen('key', pair.server);
    const call = (): Promise<number[]> => new Promise((resolve) => returns.returnIdle({ max: 1 }, (...numbers) => resolve(numbers)));
    Object.defineProperty(pair.socket, 'writable', { configurable: true, get: () => { throw new Error('no getter'); } });
    let done: number[] = [];
    expect(await uncaught(async () => { done = await call(); })).toMatchObject({ message: 'no getter' });
    await turn();
    expect(done).toEqual([0, 0]);
    Reflect.deleteProperty(pair.socket, 'writable');
    const ended = once(pair.client, 'close');
    let moved: Promise<number[]> | null = null;
    expect(await uncaught(() => { moved = call(); })).toMatchObject({ message: 'no destroy' });
    expect(await moved).toEqual([1, 0]);
    await ended;
    await until(() => openConnections(pair.server) === 0);
    Reflect.deleteProperty(pair.socket, 'destroy');
  });

  test.each<[string, (socket: Socket) => void]>([
    ['a listener', (socket) => void socket.on('close', () => undefined)],
    ['a listener of an event that node:http does not use', (socket) => void socket.once('readable', () => undefined)],
    ['a listener in place of Node\'s', (socket) => void socket.removeAllListeners('end').on('end', () => undefined)],
    ['a property', (socket) => void Object.assign(socket, { user: 'me' })],
    ['a symbol', (socket) => void Object.assign(socket, { [Symbol('user')]: 'me' })],
    ['a method', (socket) => { socket.write = () => true; }],
  ])('%s of the app: it stays, unless the app says otherwise', async (_what, touch) => {
    const pair = await new Pair().connect();
    touch(pair.socket);
    expect(mayMove(pair.socket, undefined)).toBe(false);
    expect(mayMove(pair.socket, () => undefined)).toBe(false);
    expect(mayMove(pair.socket, () => true)).toBe(true);
  });

  test('movable says no, or throws: it stays, and the exception is an uncaught one', async () => {
    const pair = await new Pair().connect();
    expect(mayMove(pair.socket, () => false)).toBe(false);
    let moves: boolean | undefined;
    const error = await uncaught(() => { moves = mayMove(pair.socket, () => { throw new Error('no idea'); }); });
    expect([moves, (error as Error).message]).toEqual([false, 'no idea']);
    expect(mayMove(pair.socket, 'not a function')).toBe(true);
  });

  // The exception ended the call: its promise was never resolved, and a leaving worker waited for it until it was killed.
  test('a getter `movable` that throws: nothing moves, and the call ends', async () => {
    const pair = await new Pair().connect();
    await pair.ask();
    let offers = 0;
    const returns = new Returns(() => { offers++; return false; }, () => { throw new Error('no getter'); });
    returns.listen('key', pair.server);
    let moves: boolean | undefined;
    const error = await uncaught(() => { moves = returns.mayMove(pair.socket); });
    expect([moves, (error as Error).message]).toEqual([false, 'no getter']);
    let done: number[] = [];
    await uncaught(async () => { done = await new Promise((resolve) => returns.returnIdle({ max: 1 }, (...numbers) => resolve(numbers))); });
    expect([done, offers]).toEqual([[0, 0], 0]);
  });
});

// Under load, two workers that were asked every 10 ms passed a request to and fro for 15 s before one of them read it.
test('a request that is here is read before its connection is looked at', async () => {
  const open: http.ServerResponse[] = [];
  const pair = await new Pair((_request, response) => void open.push(response)).connect();
  const out = pair.take() as TakenOut;
  pair.client.write(REQUEST);
  for (let at = 0; at < 50; at++) await turn();
  putBack(out);
  const returns = new Returns((_key, _handle, answered) => { setImmediate(answered, true); return true; }, () => undefined);
  returns.listen('key', pair.server);
  expect(await new Promise((resolve) => returns.returnIdle({ max: 1 }, (...numbers) => resolve(numbers)))).toEqual([0, 0]);
  expect(open).toHaveLength(1);
});

// 64 were stopped at once, and the next ones when all of these were answered: a request on one of them waited for all.
test('few are offered at a time, one more with each answer; what is not offered yet is served here', async () => {
  const answers: number[] = [];
  const pair = await new Pair((request, response) => { answers.push(Number(request.url?.slice(1))); response.end('ok'); }).connect();
  const clients = [pair.client];
  while (clients.length < 12) {
    clients.push(net.connect(portOf(pair.server), '127.0.0.1').on('error', () => undefined).resume());
    await until(() => openConnections(pair.server) === clients.length);
  }
  const answered: ((taken: boolean) => void)[] = [];
  const returns = new Returns((_key, _handle, answer) => { answered.push(answer); return true; }, () => undefined);
  returns.listen('key', pair.server);
  const done = new Promise((resolve) => returns.returnIdle({ max: Infinity }, (...numbers) => resolve(numbers)));
  await until(() => answered.length > 0);
  for (let at = 0; at < 5; at++) await turn();
  expect(answered).toHaveLength(8);
  for (const [at, client] of clients.entries()) client.write(`GET /${at} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await until(() => answers.length === 4);
  answered[0]?.(true);
  await until(() => answered.length === 9);
  for (let at = 0; at < 5; at++) await turn();
  expect([answered.length, answers.length]).toEqual([9, 4]);
  for (let at = 1; at < 12; at++) {
    await until(() => answered.length > at);
    answered[at]?.(true);
  }
  expect(await done).toEqual([12, 0]);
  for (const client of clients) client.destroy();
});

// A busy worker was handed a connection and asked for it again before it had looked for a request on it.
test('a connection that comes while the call begins is not offered by it', async () => {
  const pair = await new Pair().connect();
  await pair.ask();
  let offers = 0;
  const returns = new Returns((_key, _handle, answered) => { offers++; setImmediate(answered, true); return true; }, () => undefined);
  returns.listen('key', pair.server);
  const call = new Promise((resolve) => returns.returnIdle({ max: Infinity }, (...numbers) => resolve(numbers)));
  await turn(); // The first immediate of the call has run. What connects now arrives before the second one.
  const late = net.connect(portOf(pair.server), '127.0.0.1').on('error', () => undefined);
  expect([await call, offers]).toEqual([[1, 0], 1]);
  await until(() => openConnections(pair.server) === 1);
  late.destroy();
});

// A worker that stood still was asked twice for the same ten connections, and gave twenty: all that it had.
test('two questions at once that leave so many: the surplus is given once', async () => {
  const pair = await new Pair().connect();
  const others = [1, 2, 3].map(() => net.connect(portOf(pair.server), '127.0.0.1').on('error', () => undefined));
  await until(() => openConnections(pair.server) === 4);
  const returns = new Returns((_key, _handle, answered) => { setImmediate(answered, true); return true; }, () => undefined);
  returns.listen('key', pair.server);
  const ask = (): Promise<number[]> => new Promise((resolve) => returns.returnIdle({ max: 3, key: 'key', keep: 2 }, (...numbers) => resolve(numbers)));
  expect((await Promise.all([ask(), ask()])).map(([moved]) => moved)).toEqual([2, 0]);
  expect(openConnections(pair.server)).toBe(2);
  for (const other of others) other.destroy();
});

describe('in the other worker', () => {
  test('keepAliveTimeout holds from its arrival, until a request begins', async () => {
    const pair = new Pair((_request, response) => void setTimeout(() => response.end('ok'), 300));
    pair.server.keepAliveTimeout = 100;
    await pair.connect();
    waitAsKeptAlive(pair.server, handleOf(pair.socket) as never);
    // A request that takes longer than the time-out is answered.
    await pair.ask();
    const silent = await new Pair().connect();
    silent.server.keepAliveTimeout = 50;
    const ended = once(silent.client, 'close');
    waitAsKeptAlive(silent.server, handleOf(silent.socket) as never);
    await ended;
  });

  test('it holds also if a listener of the app throws at its arrival', async () => {
    const pair = await new Pair().connect();
    const deliveries = new Deliveries(() => true);
    const faux = new FauxHandle(undefined, () => undefined);
    faux.unref();
    faux.connection = () => { throw new Error('listener'); };
    deliveries.listen('key', new ListeningServer(pair.server, faux));
    expect(() => deliveries.arrived('key', 1, handleOf(pair.socket) as never, true)).toThrow('listener');
    expect(pair.socket.timeout).toBeGreaterThanOrEqual(pair.server.keepAliveTimeout);
  });

  // An upgrade is no 'http.server.request.start': the time-out of an idle connection stayed on a WebSocket.
  test('it ends with a request that asks for an upgrade, too', async () => {
    const pair = await new Pair().connect();
    const upgraded = once(pair.server, 'upgrade') as Promise<[http.IncomingMessage, Socket]>;
    waitAsKeptAlive(pair.server, handleOf(pair.socket) as never);
    expect(pair.socket.timeout).toBeGreaterThanOrEqual(pair.server.keepAliveTimeout);
    pair.client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    const [, socket] = await upgraded;
    expect([socket === pair.socket, socket.timeout]).toEqual([true, 0]);
  });

  test('a keepAliveTimeout of 0 is none', async () => {
    const pair = new Pair();
    pair.server.keepAliveTimeout = 0;
    await pair.connect();
    waitAsKeptAlive(pair.server, handleOf(pair.socket) as never);
    expect(pair.socket.timeout ?? 0).toBe(0);
  });
});
