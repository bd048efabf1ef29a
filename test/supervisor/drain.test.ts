/**
 * Guards how connections end when a process leaves, within the process of the test: pipelined responses, the two steps of
 * HTTP/2, HTTP/1 beside HTTP/2, the delay, and listeners of the app that throw or close.
 */
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createSecureServer, createServer as createHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, createServer as createNet, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { Drain, type DrainPhase } from '../../internal/supervisor/worker/drain';
import { within } from '../support/children';
import { freePort } from '../support/free_port';

const ends: (() => void)[] = [];
afterEach(() => { for (const end of ends.splice(0)) end(); });

/** A Drain with one server that listens, and the phases that it went through. */
async function draining<S extends Server>(server: S, at = 0): Promise<{ drain: Drain; server: S; port: number; phases: DrainPhase[]; drained: Promise<void> }> {
  const drain = new Drain({ all: false });
  const phases: DrainPhase[] = [];
  drain.add(server);
  const drained = within<void>(10_000, 'drained', (resolve) => drain.on((phase) => {
    phases.push(phase);
    if (phase === 'drained') resolve();
  }));
  drained.catch(() => undefined);
  await once(server.listen(at, '127.0.0.1'), 'listening');
  ends.push(() => { drain.cut(); server.close(); });
  return { drain, server, port: (server.address() as AddressInfo).port, phases, drained };
}

const leave = (delayMs: number, graceMs: number) => ({ delayMs, graceMs, endMs: Infinity });

/** A connection, and everything that it received. */
class Client {
  readonly socket: Socket;
  text = '';
  readonly closed: Promise<unknown>;
  #wake = (): void => undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1').on('error', () => undefined).setEncoding('latin1');
    this.socket.on('data', (text: string) => { this.text += text; this.#wake(); });
    this.closed = once(this.socket, 'close');
    ends.push(() => this.socket.destroy());
  }

  async got(pattern: RegExp): Promise<void> {
    await within<void>(10_000, String(pattern), (resolve) => {
      this.#wake = () => pattern.test(this.text) && resolve();
      this.#wake();
    });
  }

  /** The Connection header of each response. */
  get says(): string[] {
    return [...this.text.matchAll(/^Connection: (.*)\r$/gm)].map(([, says]) => String(says));
  }
}

const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: app\r\n\r\n`;

/** An http listener that answers each request when the test says so. */
function answering(): { listener: RequestListener; begun: (count: number) => Promise<void>; answers: ServerResponse[] } {
  const answers: ServerResponse[] = [];
  let wake = (): void => undefined;
  return {
    answers,
    listener: (_request, response) => { answers.push(response); wake(); },
    begun: (count) => within<void>(10_000, `${count} requests`, (resolve) => { wake = () => answers.length >= count && resolve(); wake(); }),
  };
}

describe('pipelining: each request that the app has begun is answered, and the last response says close', () => {
  test('three requests in progress', async () => {
    const app = answering();
    const { drain, port, drained } = await draining(createServer(app.listener));
    const client = new Client(port);
    client.socket.write(ask('/1') + ask('/2') + ask('/3'));
    await app.begun(3);
    drain.leave(leave(0, 50));
    for (const [at, answer] of app.answers.entries()) answer.end(`body ${at}`);
    await client.closed;
    expect([client.text.match(/body \d/g), client.says]).toEqual([['body 0', 'body 1', 'body 2'], ['keep-alive', 'keep-alive', 'close']]);
    await drained;
  });

  test('the first response is being written, the second waits, a third request comes while the process leaves; the app sets Connection itself', async () => {
    const app = answering();
    const { drain, port, drained } = await draining(createServer(app.listener));
    const client = new Client(port);
    client.socket.write(ask('/1') + ask('/2'));
    await app.begun(2);
    app.answers[0]?.write('half ');
    app.answers[1]?.setHeader('Connection', 'keep-alive');
    drain.leave(leave(0, 50));
    expect(app.answers[1]?.getHeader('Connection')).toBe('close');
    client.socket.write(ask('/3'));
    await app.begun(3);
    expect(app.answers.map((answer) => answer.getHeader('Connection')), 'as it was').toEqual([undefined, 'keep-alive', 'close']);
    for (const answer of app.answers) answer.end('whole');
    await client.closed;
    expect([client.text.match(/whole/g)?.length, client.says]).toEqual([3, ['keep-alive', 'keep-alive', 'close']]);
    await drained;
  });

  test('responses that are finished do not count', async () => {
    const app = answering();
    const { drain, port, drained } = await draining(createServer(app.listener));
    const client = new Client(port);
    client.socket.write(ask('/1') + ask('/2'));
    await app.begun(2);
    for (const answer of app.answers) answer.end('over');
    await client.got(/over[^]*over/);
    client.socket.write(ask('/3'));
    await app.begun(3);
    drain.leave(leave(0, 50));
    app.answers[2]?.end('the last');
    await client.closed;
    expect(client.says).toEqual(['keep-alive', 'keep-alive', 'close']);
    await drained;
  });
});

/** An HTTP/2 client that sends only the frames that the test asks for, and lists those that it receives. */
class Frames {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(port);
    this.#client.socket.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame(4, 0, 0, '')}`, 'latin1');
  }

  /** Sends GET / on this stream. */
  ask(stream: number): void {
    this.#client.socket.write(frame(1, 5, stream, '\x82\x86\x84\x41\x01a'), 'latin1');
  }

  get closed(): Promise<unknown> {
    return this.#client.closed;
  }

  async got(pattern: RegExp): Promise<void> {
    await within<void>(10_000, String(pattern), (resolve) => {
      const look = (): void => { if (pattern.test(this.list)) resolve(); };
      this.#client.socket.on('data', look);
      look();
    });
  }

  /** Received frames, such as `HEADERS 1, GOAWAY 2147483647`: responses with their stream, GOAWAY with its last stream id. */
  get list(): string {
    const bytes = Buffer.from(this.#client.text, 'latin1');
    const list: string[] = [];
    for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
      if (bytes[at + 3] === 1) list.push(`HEADERS ${bytes.readUInt32BE(at + 5)}`);
      if (bytes[at + 3] === 7) list.push(`GOAWAY ${bytes.readUInt32BE(at + 9)}`);
    }
    return list.join(', ');
  }
}

function frame(type: number, flags: number, stream: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head.toString('latin1') + payload;
}

describe('http2: GOAWAY in two steps', () => {
  test('first a notice, and requests that cross it are served; then GOAWAY with the last stream id; then the connection is closed, even if the client never closes it', async () => {
    const { drain, port, drained, phases } = await draining(createHttp2((_request, response) => response.end('x')));
    const client = new Frames(port);
    client.ask(1);
    await client.got(/HEADERS 1/);
    drain.leave(leave(0, 200));
    await client.got(/GOAWAY 2147483647/);
    client.ask(3);
    await client.got(/HEADERS 3/);
    await drained;
    await client.closed;
    expect(client.list).toMatch(/^HEADERS 1, GOAWAY 2147483647, HEADERS 3(, GOAWAY 3)+$/);
    expect(phases).toEqual(['out of rotation', 'finishing', 'drained']);
  });

  test('the notice is written between two frames of a response, not inside one', async () => {
    const { drain, port, drained } = await draining(createHttp2((_request, response) => {
      const more = (left: number): void => void (left === 0 ? response.end() : response.write(Buffer.alloc(40_000, 'x'), () => more(left - 1)));
      more(50);
    }));
    const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => undefined);
    ends.push(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    let length = 0;
    stream.on('data', (data: Buffer) => {
      if (length === 0) drain.leave(leave(0, 100));
      length += data.length;
    });
    await once(stream, 'end');
    expect(length).toBe(2_000_000);
    await drained;
  });

  const psk = Buffer.from('0123456789abcdef0123456789abcdef', 'hex');
  const server = { ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => psk, pskIdentityHint: 'tests', allowHTTP1: true } as const;
  const secure = { ciphers: 'PSK', maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined, pskCallback: () => ({ psk, identity: 'client' }) } as unknown as ConnectionOptions;

  test('over TLS: the stream in progress is finished, the next one is refused at once, so that the client may send it again elsewhere', async () => {
    const streams: { end(text: string): void }[] = [];
    const { drain, port, drained } = await draining(createSecureServer(server, (_request, response) => { streams.push(response); response.write('half '); }));
    const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${port}`, secure as object).on('error', () => undefined);
    ends.push(() => session.destroy());
    const first = session.request({ ':path': '/' }).setEncoding('utf8');
    let body = '';
    first.on('data', (text: string) => { body += text; });
    await once(first, 'response');
    drain.leave(leave(0, 50));
    const crossing = session.request({ ':path': '/crossing' });
    const [error] = await once(crossing, 'error') as [Error];
    expect(error.message).toContain('NGHTTP2_REFUSED_STREAM');
    streams[0]?.end('whole');
    await once(first, 'close');
    expect(body).toBe('half whole');
    await drained;
  });

  test('HTTP/1 on the same server: the response in progress and the next one say close, idle connections are closed', async () => {
    const app = answering();
    const { drain, port, drained } = await draining(createSecureServer(server, app.listener as never));
    const clients = await Promise.all([0, 1, 2].map(async () => {
      const socket = connectTls({ ...secure, port, host: '127.0.0.1', ALPNProtocols: ['http/1.1'] }).setEncoding('utf8');
      socket.on('error', () => undefined);
      ends.push(() => socket.destroy());
      await once(socket, 'secureConnect');
      return socket;
    }));
    const [busy, later, idle] = clients as [TLSSocket, TLSSocket, TLSSocket];
    for (const socket of [later, idle]) {
      socket.write(ask('/before'));
      await app.begun(app.answers.length + 1);
      const data = once(socket, 'data');
      app.answers.at(-1)?.end('before');
      expect((await data)[0]).toMatch(/^Connection: keep-alive\r$/m);
    }
    busy.write(ask('/busy'));
    await app.begun(3);
    drain.leave(leave(0, 300));
    later.write(ask('/later'));
    await app.begun(4);
    for (const [socket, answer] of [[busy, app.answers[2]], [later, app.answers[3]]] as const) {
      const data = once(socket, 'data');
      answer?.end('now');
      expect((await data)[0]).toMatch(/^Connection: close\r$/m);
    }
    await once(idle, 'close');
    await drained;
  });
});

describe('the delay', () => {
  test('it accepts connections with Connection: close, in phase announcing; then it refuses connections', async () => {
    const { drain, server, port, phases, drained } = await draining(createServer((_request, response) => response.end(drain.phase)), await freePort());
    drain.leave(leave(200, 50));
    const client = new Client(port);
    client.socket.write(ask('/'));
    await client.closed;
    expect(client.text).toMatch(/^Connection: close\r\n[^]*announcing$/m);
    expect(server.listening).toBe(true);
    await drained;
    const [error] = await once(connect(port, '127.0.0.1'), 'error') as [NodeJS.ErrnoException];
    expect([error.code, phases]).toEqual(['ECONNREFUSED', ['announcing', 'out of rotation', 'drained']]);
  });

  test('an HTTP/2 session that begins during the delay is served, and gets the notice after its first request', async () => {
    const { drain, port, drained } = await draining(createHttp2((_request, response) => response.end('x')));
    drain.leave(leave(300, 50));
    const client = new Frames(port);
    client.ask(1);
    await client.got(/GOAWAY 2147483647.*HEADERS 1|HEADERS 1.*GOAWAY 2147483647/);
    await drained;
  });

  test('a later call of leave can shorten the delay, not lengthen it', async () => {
    const { drain, phases, drained } = await draining(createServer());
    drain.leave(leave(60_000, 0));
    drain.leave(leave(90_000, 0));
    drain.leave(leave(0, 0));
    await drained;
    expect(phases).toEqual(['announcing', 'out of rotation', 'drained']);
  });
});

describe('the app throws, closes connections, and removes listeners', () => {
  /** Runs `body`, and returns the messages of the uncaught exceptions during it. */
  async function gathering(body: () => Promise<void>): Promise<string[]> {
    const listeners = process.listeners('uncaughtException');
    const caught: string[] = [];
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => caught.push(error.message));
    try {
      await body();
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
    return caught;
  }

  const fail = (what: string) => (): never => { throw new Error(what); };

  test('listeners of a connection throw: its end is noticed nevertheless', async () => {
    const caught = await gathering(async () => {
      const { drain, server, port, drained } = await draining(createNet());
      // `left` looks at sockets too, so 'drained' can come before the socket has emitted 'close'.
      const closed = new Promise<void>((resolve) => {
        server.prependListener('connection', (socket: Socket) => {
          socket.prependListener('close', fail('close'));
          socket.prependListener('close', resolve);
        });
      });
      const connected = once(server, 'connection');
      server.on('connection', fail('connection'));
      const client = new Client(port);
      await connected;
      drain.leave(leave(0, 10));
      client.socket.destroy();
      await drained;
      await closed;
    });
    expect(caught.sort()).toEqual(['close', 'connection']);
  });

  test('a socket whose listeners the app has removed: its end is noticed', async () => {
    const { drain, server, port, drained } = await draining(createNet((socket) => void socket.removeAllListeners('close').resume().on('error', () => undefined)));
    const client = new Client(port);
    await once(server, 'connection');
    drain.leave(leave(0, 10));
    client.socket.destroy();
    await drained;
  });

  test('a hook, setHeader, a method of the server and a session throw: the other connections are drained nevertheless', async () => {
    const caught = await gathering(async () => {
      const app = answering();
      const { drain, server, port, drained, phases } = await draining(createServer(app.listener));
      drain.on((phase) => { if (phase === 'out of rotation') throw new Error('hook'); });
      const after: DrainPhase[] = [];
      drain.on((phase) => after.push(phase));
      server.closeIdleConnections = fail('closeIdleConnections');
      const clients = [new Client(port), new Client(port)];
      for (const [at, client] of clients.entries()) {
        client.socket.write(ask('/'));
        await app.begun(at + 1);
      }
      const [patched] = app.answers as [ServerResponse];
      patched.setHeader = fail('setHeader');
      drain.leave(leave(0, 20));
      for (const answer of app.answers) answer.end();
      await clients[1]?.closed;
      clients[0]?.socket.destroy();
      await drained;
      expect(after).toEqual(phases);
      Reflect.deleteProperty(server, 'closeIdleConnections'); // server.close() calls it.
    });
    expect([...new Set(caught)].sort()).toEqual(expect.arrayContaining(['hook', 'setHeader']));
  });

  test('a listener of phases that calls leave and cut', async () => {
    const { drain, server, port, phases, drained } = await draining(createNet((socket) => void socket.on('error', () => undefined)));
    drain.on((phase) => {
      drain.leave(leave(0, 0));
      if (phase === 'out of rotation') expect(drain.cut()).toBe(1);
    });
    const client = new Client(port);
    await once(server, 'connection');
    drain.leave(leave(0, 60_000));
    await drained;
    await client.closed;
    expect([phases, drain.left]).toEqual([['out of rotation', 'drained'], 0]);
  });
});

test('10,000 closed servers are not kept in the table; a server that listens again is added', async () => {
  const drain = new Drain({ all: false });
  const server = createNet();
  for (let turn = 0; turn < 3; turn++) {
    drain.add(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    expect(drain.isListening).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(drain.isListening).toBe(false);
  }
  expect(['connection', 'listening', 'close'].map((name) => server.listenerCount(name))).toEqual([1, 1, 1]);
  for (let at = 0; at < 10_000; at++) {
    const other = createNet();
    drain.add(other);
    other.emit('close');
  }
  expect(drain.servers).toBe(0);
});
