/** The control server and its clients, in one process: clients that send nonsense, flood, stop, go away, or never read; servers that lie. */
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlClient } from '../../internal/operate/control/client';
import { LONGEST_REPLY, LONGEST_REQUEST, MOST_CALLS, MOST_CONNECTIONS } from '../../internal/operate/control/protocol';
import { ControlServer, type Call, type Method } from '../../internal/operate/control/server';
import { event, within } from '../support/children';
import { openFds } from '../support/live';
import { ownDirectories } from './own_directories';
import { RawClient, codeIn } from './raw_client';

const base = ownDirectories();

const hello = { kind: 'app', name: 'web', pid: process.pid, startedBy: 'program' } as const;
const once = (signal: AbortSignal): Promise<void> => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));

/** How many calls of `big` have begun. */
let begun = 0;
/** The calls of `hold` that run, and what wakes those who wait for a change. */
const held = new Set<Call>();
let changed = (): void => undefined;
const untilHeld = (count: number): Promise<void> => within(20_000, `${count} calls`, (resolve) => {
  changed = () => held.size === count && resolve();
  changed();
});

const methods: Record<string, Method> = {
  echo: async (params) => params,
  async hold(_params, call) {
    held.add(call);
    changed();
    await once(call.signal);
    held.delete(call);
    changed();
    return 'over';
  },
  throws: () => { throw new Error('at once'); },
  rejects: async (params) => { throw params['with'] === 'undefined' ? undefined : params['with']; },
  async getter() { throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('no message'); } }); },
  async circle() { const circle: Record<string, unknown> = {}; circle['circle'] = circle; return circle; },
  bigint: async () => 1n,
  notAPromise: (() => 'at once') as unknown as Method,
  async long() { return 'x'.repeat(LONGEST_REPLY + 1); },
  async big() { begun++; return 'x'.repeat(1_000_000); },
  stuck: () => new Promise(() => undefined), // A command that never ends.
  async badProgress(_params, call) { call.progress({ big: 1n }); },
  async late(_params, call) { setImmediate(() => call.progress({ late: true })); return 'done'; },
  async flood(_params, call) {
    for (let at = 0; at < 200 && !call.signal.aborted; at++) {
      for (let line = 0; line < 100; line++) call.progress({ text: 'x'.repeat(1_000) });
      await new Promise((resolve) => setImmediate(resolve));
    }
    held.add(call);
    changed();
    return call.signal.aborted;
  },
};

let server: ControlServer;
let socket = '';
let count = 0;
const raws: RawClient[] = [];
const raw = async (): Promise<RawClient> => {
  const client = await RawClient.connect(socket);
  raws.push(client);
  return client;
};

beforeEach(async () => {
  socket = path.join(base, `${count++}.sock`);
  server = new ControlServer(hello, methods);
  await server.listen(socket);
});
afterEach(async () => {
  await Promise.all(raws.splice(0).map((client) => client.destroy()));
  await server.close();
  held.clear();
  begun = 0;
  expect(existsSync(socket)).toBe(false);
});

/** Another client is served: what a mean one did harmed nobody else. */
async function serves(): Promise<void> {
  const client = await ControlClient.connect(socket);
  expect(await client.call('echo', { is: 'there' })).toEqual({ is: 'there' });
  client.close();
}

describe('a client that sends nonsense', () => {
  const cases: [string, string | Buffer, string][] = [
    ['no JSON', 'hello?\n', 'ERR_CONTROL_PROTOCOL'],
    ['an empty line', '\n', 'ERR_CONTROL_PROTOCOL'],
    ['http', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'ERR_CONTROL_PROTOCOL'],
    ['bytes that are no text', Buffer.from([255, 254, 0, 200, 10]), 'ERR_CONTROL_PROTOCOL'],
    ['JSON that is no request', '[1]\n', 'ERR_CONTROL_PROTOCOL'],
    ['a deep nest', `${'['.repeat(500_000)}\n`, 'ERR_CONTROL_PROTOCOL'],
    ['params that are a list', '{"id":1,"version":1,"method":"echo","params":[]}\n', 'ERR_CONTROL_PROTOCOL'],
    ['no version', '{"id":1,"method":"echo"}\n', 'ERR_VERSION'],
    ['another version', '{"id":1,"version":2,"method":"echo"}\n', 'ERR_VERSION'],
    ['another version later', '{"id":1,"version":1,"method":"echo"}\n{"id":2,"version":9,"method":"echo"}\n', 'ERR_VERSION'],
    ['good requests, and then no JSON', '{"id":1,"version":1,"method":"none"}\n'.repeat(100) + 'x\n', 'ERR_CONTROL_PROTOCOL'],
    ['an id twice', '{"id":1,"version":1,"method":"hold"}\n{"id":1,"method":"hold"}\n', 'ERR_CONTROL_PROTOCOL'],
  ];
  test.each(cases)('%s: it is told why, and cut off', async (_what, bytes, code) => {
    const client = await raw();
    client.socket.write(bytes);
    expect(codeIn(await client.reply(undefined))).toBe(code);
    await client.closed;
    await serves();
  });

  test('half a line, and then nothing: it holds its connection and nothing else', async () => {
    const client = await raw();
    client.socket.write('{"id":1,"version":1,"met');
    await serves();
    client.socket.write('hod":"echo"}\n');
    expect(await client.reply(1)).toEqual({ id: 1, result: {} });
  });

  test('half a line, and then the end: the connection is closed', async () => {
    const client = await raw();
    client.socket.end('{"id":1,"version":1,"method":"echo"}');
    await client.closed;
    expect(client.lines.length).toBe(1);
  });

  test('1 GB without a line break: it is cut off after 1 MiB, and memory does not grow', async () => {
    const client = await raw();
    const chunk = Buffer.alloc(65_536, 'x');
    const before = process.memoryUsage().rss;
    let written = 0;
    const write = (): void => {
      while (written < 1e9 && !client.socket.destroyed) {
        written += chunk.length;
        if (!client.socket.write(chunk)) return void client.socket.once('drain', write);
      }
    };
    write();
    await client.closed;
    expect(written).toBeLessThan(LONGEST_REQUEST + (1 << 20)); // What the kernel keeps between the two comes on top.
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
    await serves();
  });

  test('the longest line is read, one byte more is not', async () => {
    const line = (bytes: number): string => {
      const empty = JSON.stringify({ id: 1, version: 1, method: 'echo', params: { text: '' } });
      return `${empty.slice(0, -3)}${'x'.repeat(bytes - empty.length)}"}}\n`;
    };
    const client = await raw();
    client.socket.write(line(LONGEST_REQUEST));
    expect(await client.reply(1)).toHaveProperty('result');
    client.socket.write(line(LONGEST_REQUEST + 1));
    expect(codeIn(await client.reply(undefined))).toBe('ERR_LINE_TOO_LONG');
    await client.closed;
  });
});

describe('methods', () => {
  test('only own names of the table are methods', async () => {
    const client = await raw();
    let id = 1;
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', 'ECHO', 'echo ', 'x'.repeat(100_000)]) {
      expect([name.slice(0, 20), codeIn(await client.request(id++, name))]).toEqual([name.slice(0, 20), 'ERR_UNKNOWN_METHOD']);
    }
    expect(JSON.stringify(client.lines.at(-1)).length).toBeLessThan(1_000); // The reply does not repeat it all.
    await expect(ControlClient.connect(socket).then((one) => one.call('__proto__').finally(() => one.close()))).rejects.toMatchObject({ code: 'ERR_UNKNOWN_METHOD', message: expect.stringContaining('Methods: echo, hold') });
  });

  test('whatever a method throws, or returns, is exactly one reply', async () => {
    const client = await raw();
    const failures: [string, object | undefined, string][] = [
      ['throws', undefined, 'ERR_FAILED'], ['rejects', { with: 'undefined' }, 'ERR_FAILED'], ['rejects', { with: null }, 'ERR_FAILED'], ['rejects', { with: 'text' }, 'ERR_FAILED'],
      ['rejects', { with: { code: 'ERR_MINE', message: 'no Error' } }, 'ERR_FAILED'], ['getter', undefined, 'ERR_FAILED'], ['circle', undefined, 'ERR_FAILED'], ['bigint', undefined, 'ERR_FAILED'],
      ['long', undefined, 'ERR_LINE_TOO_LONG'],
    ];
    for (const [id, [name, params, code]] of failures.entries()) expect([name, codeIn(await client.request(id, name, params))]).toEqual([name, code]);
    expect(await client.request(50, 'notAPromise')).toEqual({ id: 50, result: 'at once' });
    expect(await client.request(51, 'late')).toEqual({ id: 51, result: 'done' });
    expect(await client.request(52, 'echo', { a: [null, 'ä'] })).toEqual({ id: 52, result: { a: [null, 'ä'] } });
    expect(client.lines.filter((line) => 'progress' in line)).toEqual([]); // A progress after the result goes nowhere.
    expect(client.lines.length).toBe(1 + failures.length + 3);
  });

  test('a progress that is no JSON ends the connection, not the process', async () => {
    const client = await raw();
    client.write({ id: 1, version: 1, method: 'badProgress' });
    await client.closed;
    await serves();
  });
});

describe('many at once', () => {
  test('1,000 requests in one write: one reply for each, 64 of them at a time', async () => {
    const client = await raw();
    client.write(...Array.from({ length: 1_000 }, (_, id) => ({ id, version: 1, method: 'hold' })));
    await client.until(() => client.lines.length === 1_001 - MOST_CALLS, 'the refusals');
    await untilHeld(MOST_CALLS);
    expect(client.lines.slice(1).every((line) => codeIn(line) === 'ERR_TOO_MANY_CALLS')).toBe(true);
    await serves();
    expect(held.size).toBe(MOST_CALLS);
    client.write(...Array.from({ length: MOST_CALLS }, (_, id) => ({ cancel: id })));
    await client.until(() => client.lines.length === 1_001, 'the results');
    expect(new Set(client.lines.slice(1).map((line) => line['id'])).size).toBe(1_000);
    expect(await client.request(2_000, 'echo')).toEqual({ id: 2_000, result: {} });
  });

  test('one request begins in each turn of the event loop, and the clients take it in turns', async () => {
    const beginnings: { readonly client: unknown; readonly turn: number }[] = [];
    let turn = 0;
    let isDone = false;
    const count = (): void => { turn++; if (!isDone) setImmediate(count); };
    count();
    await server.close();
    server = new ControlServer(hello, { ...methods, async begin({ client }) { beginnings.push({ client, turn }); } });
    await server.listen(socket);
    const clients = await Promise.all(Array.from({ length: 10 }, raw));
    for (const [at, client] of clients.entries()) client.write(...Array.from({ length: MOST_CALLS }, (_, id) => ({ id, version: 1, method: 'begin', params: { client: at } })));
    const late = await raw();
    await late.request(1, 'begin', { client: 'late' });
    const before = beginnings.length;
    await Promise.all(clients.map((client) => client.until(() => client.lines.length === 1 + MOST_CALLS, 'the replies')));
    isDone = true;
    expect(beginnings).toHaveLength(10 * MOST_CALLS + 1);
    expect(new Set(beginnings.map((one) => one.turn)).size).toBe(beginnings.length);
    expect(before, 'a client that comes late waits for no more than one request of each other').toBeLessThan(10 * MOST_CALLS);
    const middle = beginnings.slice(300, 310).map(({ client }) => client);
    expect(new Set(middle).size, 'each client once in a round').toBe(10);
  });

  test('a client that does not read its replies: its other requests wait, and it is not cut off for what it asked for', async () => {
    const client = await raw();
    client.socket.pause();
    client.write(...Array.from({ length: 20 }, (_, id) => ({ id, version: 1, method: 'big' })), { id: 50, method: 'hold' });
    await serves();
    await serves();
    expect([begun, held.size]).toEqual([1, 0]);
    client.socket.resume();
    await untilHeld(1);
    expect(begun).toBe(20);
    client.write({ cancel: 50 });
    expect(await client.reply(50)).toEqual({ id: 50, result: 'over' });
    expect(client.lines.length).toBe(22);
  });

  test('requests that wait when their client goes away, or is cut off, never begin', async () => {
    const gone = await raw();
    gone.socket.pause();
    gone.write({ id: 1, version: 1, method: 'big' }, { id: 2, method: 'big' });
    await serves();
    await gone.destroy();
    const cut = await raw();
    cut.socket.write(`${'{"id":1,"version":1,"method":"big"}\n{"id":2,"method":"big"}\n{"id":3,"method":"big"}\n'}x\n`);
    await cut.closed;
    for (let turns = 0; turns < 5; turns++) await serves();
    expect(begun).toBe(2); // The first one of each.
  });

  test('1,000 calls of a ControlClient: all are served, in their order', async () => {
    const client = await ControlClient.connect(socket);
    const order: number[] = [];
    await Promise.all(Array.from({ length: 1_000 }, async (_, n) => {
      expect(await client.call('echo', { n })).toEqual({ n });
      order.push(n);
    }));
    expect(order).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    client.close();
  });

  test('more clients than are allowed: the last one is told so, and closed; when one leaves the next is served', async () => {
    const clients = await Promise.all(Array.from({ length: MOST_CONNECTIONS }, raw));
    const last = await raw();
    expect(codeIn(await last.reply(undefined))).toBe('ERR_TOO_MANY_CONNECTIONS');
    await last.closed;
    await expect(ControlClient.connect(socket).then((client) => client.call('echo'))).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(TOO_MANY_CONNECTIONS|CONTROL_CLOSED)$/) });
    const first = clients[0];
    await first?.request(1, 'echo');
    // The server knows that it is gone when it has closed its side as well.
    first?.socket.end();
    await first?.closed;
    await serves();
  });
});

describe('a client that goes away', () => {
  test('in the middle of a call: the call is aborted, and nothing is left of it', async () => {
    const fds = openFds().length;
    const client = await raw();
    client.write({ id: 1, version: 1, method: 'hold' });
    await untilHeld(1);
    await client.destroy();
    await untilHeld(0);
    await serves();
    await within<void>(10_000, 'the fds', (resolve) => {
      const look = (): void => { if (openFds().length <= fds) resolve(); else setImmediate(look); };
      look();
    });
  });

  test('it may end its side after its requests, as `echo … | nc -U` does, and gets the replies', async () => {
    const client = await raw();
    client.socket.end('{"id":1,"version":1,"method":"echo","params":{"a":1}}\n{"id":2,"method":"hold"}\n');
    expect(await client.reply(1)).toEqual({ id: 1, result: { a: 1 } });
    expect(await client.reply(2)).toEqual({ id: 2, result: 'over' });
    await client.closed;
  });

  test('a cancel ends one call; of unknown ids it does nothing', async () => {
    const client = await raw();
    client.write({ cancel: 5 }, { id: 1, version: 1, method: 'hold' }, { id: 2, method: 'hold' }, { cancel: 1 });
    expect(await client.reply(1)).toEqual({ id: 1, result: 'over' });
    expect(held.size).toBe(1);
  });

  test('one that never reads what it follows is cut off at 8 MiB, the call aborted, and the others served', async () => {
    const client = await raw();
    client.socket.pause();
    client.write({ id: 1, version: 1, method: 'flood' });
    await untilHeld(1);
    const [call] = [...held];
    expect(call?.signal.aborted).toBe(true);
    await serves();
  });
});

describe('the socket file', () => {
  const second = (): ControlServer => new ControlServer(hello, {});

  test('it has mode 0600, whatever the umask; nothing else stands beside it', async () => {
    await server.close();
    const umask = process.umask(0);
    try {
      server = new ControlServer(hello, methods);
      await server.listen(socket);
    } finally {
      process.umask(umask);
    }
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    expect(readdirSync(base).filter((name) => name.startsWith(path.basename(socket)))).toEqual([path.basename(socket)]);
  });

  test('a live one is never replaced, and the loser leaves nothing', async () => {
    const fds = openFds().length;
    await expect(second().listen(socket)).rejects.toMatchObject({ code: 'ERR_ALREADY_RUNNING', message: expect.stringContaining(`(pid ${process.pid})`) });
    expect(openFds().length).toBe(fds);
    await serves();
  });

  test('a live one of a process that holds no lock (another namespace, another program) is not replaced either', async () => {
    const other = path.join(base, 'other.sock');
    for (const [greeting, pid] of [['', ''] as const, ['what?\n', ''] as const, ['{"hello":"cluster-internals","version":1,"kind":"app","name":"other","pid":4711,"startedBy":"run"}\n', ' (pid 4711)'] as const]) {
      const stranger: Server = createServer((connection) => connection.on('error', () => undefined).resume().end(greeting));
      stranger.listen(other);
      await event(stranger, 'listening');
      await expect(second().listen(other)).rejects.toMatchObject({ code: 'ERR_ALREADY_RUNNING', message: `other is already running${pid}: it answers at ${other}` });
      expect(existsSync(other)).toBe(true);
      stranger.close();
      await event(stranger, 'close');
    }
  });

  test('what is no socket is not replaced, and a symlink is not followed', async () => {
    const other = path.join(base, 'file.sock');
    for (const make of [() => writeFileSync(other, 'precious'), () => mkdirSync(other), () => symlinkSync(socket, other)]) {
      make();
      await expect(second().listen(other)).rejects.toMatchObject({ code: 'ERR_CONTROL_PATH', message: expect.stringContaining('exists, and is no socket') });
      rmSync(other, { recursive: true });
    }
    await serves();
  });

  test('a path that is too long, or in no directory', async () => {
    await expect(second().listen(`${base}/${'x'.repeat(100)}`)).rejects.toMatchObject({ code: 'ERR_CONTROL_PATH' });
    await expect(second().listen(`${base}/none/x.sock`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(second().listen('/proc/x.sock')).rejects.toMatchObject({ code: expect.stringMatching(/^E(NOENT|ACCES|PERM)$/) });
  });

  test('the longest path works, and what a killed process left at PATH.new does not matter', async () => {
    const longest = path.join(base, 'x'.repeat(107 - base.length - 1));
    mkdirSync(`${longest}.new`);
    writeFileSync(`${longest}.new/control-dead`, '');
    const one = second();
    await one.listen(longest);
    expect(existsSync(`${longest}.new`)).toBe(false);
    const client = await ControlClient.connect(longest);
    expect(client.hello).toEqual(hello);
    client.close();
    await one.close();
    await expect(ControlClient.connect(`${longest}y`)).rejects.toMatchObject({ code: 'ERR_CONTROL_PATH' }); // Not the first 107 bytes of it.
  });

  test('a file that somebody else has put in its place is left alone', async () => {
    rmSync(socket);
    writeFileSync(socket, 'precious');
    await server.close();
    expect(existsSync(socket)).toBe(true);
    rmSync(socket);
  });

  test('close in the middle of listen leaves nothing; closing twice, and a server that failed to listen, is fine', async () => {
    const other = path.join(base, 'quick.sock');
    const one = second();
    const listening = one.listen(other);
    await one.close();
    await listening;
    await one.close();
    expect(readdirSync(base).filter((name) => name.startsWith('quick'))).toEqual([]);
    await expect(one.listen(other)).rejects.toThrow('listens once');
    const failed = second();
    await expect(failed.listen(socket)).rejects.toThrow();
    await failed.close();
    const again = second();
    await again.listen(other);
    await again.close();
  });

  test('close waits for a second, and not longer, for a reply that is not read, and for a command that does not end', async () => {
    for (const method of ['big', 'stuck']) {
      const client = await raw();
      client.socket.pause();
      client.write({ id: 1, version: 1, method });
      await serves(); // So the request has begun.
      const from = performance.now();
      await server.close();
      expect([method, performance.now() - from > 950]).toEqual([method, true]);
      server = new ControlServer(hello, methods);
      await server.listen(socket);
    }
    expect(begun).toBe(1);
  });

  test('close ends those who follow, and those who do not read after a second', async () => {
    const client = await ControlClient.connect(socket);
    const following = client.call('hold');
    const stuck = await raw();
    stuck.socket.pause();
    stuck.write({ id: 1, version: 1, method: 'long' }, ...Array.from({ length: 40 }, (_, id) => ({ id: id + 2, version: 1, method: 'echo', params: { text: 'x'.repeat(100_000) } })));
    await untilHeld(1);
    await server.close();
    expect(await following).toBe('over');
    client.close();
  });
});

describe('ControlClient', () => {
  /** Runs `body` against a server that answers each connection with `text`, and then does `then`. */
  async function withLiar(text: string, then: 'end' | 'wait', body: (path: string) => Promise<void>): Promise<void> {
    const liar = createServer((connection) => {
      connection.on('error', () => undefined).resume();
      if (then === 'end') connection.end(text);
      else connection.write(text);
    });
    const name = path.join(base, 'liar.sock');
    liar.listen(name);
    await event(liar, 'listening');
    try {
      await body(name);
    } finally {
      liar.close();
    }
  }
  const line = (value: object): string => `${JSON.stringify(value)}\n`;
  const greeting = line({ hello: 'cluster-internals', version: 1, ...hello });

  test('nobody there', async () => {
    await expect(ControlClient.connect(path.join(base, 'nobody.sock'))).rejects.toMatchObject({ code: 'ENOENT' });
    writeFileSync(path.join(base, 'file'), '');
    await expect(ControlClient.connect(path.join(base, 'file'))).rejects.toMatchObject({ code: expect.stringMatching(/^ECONNREFUSED|ENOTSOCK$/) });
  });

  test.each<[string, string, 'end' | 'wait', string]>([
    ['ends at once', '', 'end', 'ERR_CONTROL_CLOSED'],
    ['says nothing', '', 'wait', 'ERR_CONTROL_TIMEOUT'],
    ['sends half a hello', greeting.slice(0, 30), 'wait', 'ERR_CONTROL_TIMEOUT'],
    ['speaks http', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'end', 'ERR_CONTROL_PROTOCOL'],
    ['has another version', line({ hello: 'cluster-internals', version: 2, ...hello }), 'wait', 'ERR_VERSION'],
    ['sends a line without end', 'x'.repeat(LONGEST_REPLY + 10), 'wait', 'ERR_CONTROL_PROTOCOL'],
  ])('a server that %s', async (_what, text, then, code) => {
    await withLiar(text, then, async (name) => {
      await expect(ControlClient.connect(name, { timeoutMs: code === 'ERR_CONTROL_TIMEOUT' ? 200 : 20_000 })).rejects.toMatchObject({ code });
    });
  });

  test.each<[string, string, 'end' | 'wait', string]>([
    ['goes away', '', 'end', 'ERR_CONTROL_CLOSED'],
    ['answers nonsense', 'what?\n', 'wait', 'ERR_CONTROL_PROTOCOL'],
    ['cuts the connection', line({ error: { code: 'ERR_MINE', message: 'why' } }), 'end', 'ERR_MINE'],
    ['answers what nobody asked, then goes', line({ id: 99, result: 1 }) + line({ id: 98, progress: {} }), 'end', 'ERR_CONTROL_CLOSED'],
  ])('a call, when the server %s', async (_what, text, then, code) => {
    await withLiar(greeting + text, then, async (name) => {
      const client = await ControlClient.connect(name);
      await expect(client.call('x')).rejects.toMatchObject({ code });
      await expect(client.call('x')).rejects.toMatchObject({ code }); // And later ones.
      client.close();
    });
  });

  test('a server that stands still during a call: the client asks anew who it is, and the call rejects; one that answers may take as long as it takes', async () => {
    const connections: Socket[] = [];
    let accepted = (): void => undefined;
    let greets = true;
    const server = createServer((connection) => {
      connection.on('error', () => undefined).resume();
      if (greets) connection.write(greeting);
      connections.push(connection);
      accepted();
    });
    const name = path.join(base, 'still.sock');
    server.listen(name);
    await event(server, 'listening');
    try {
      const client = await ControlClient.connect(name, { timeoutMs: 2_000, quietMs: 20 });
      const call = client.call('x');
      await within(20_000, 'the third question', (resolve) => { accepted = () => connections.length > 3 && resolve(undefined); });
      greets = false; // A process that is stopped still gets connections, from the kernel.
      await expect(call).rejects.toMatchObject({ code: 'ERR_CONTROL_TIMEOUT', message: `The process ${process.pid} at ${name} stands still: it does not answer any more` });
      await expect(client.call('x')).rejects.toMatchObject({ code: 'ERR_CONTROL_TIMEOUT' });
      greets = true;
      const other = await ControlClient.connect(name, { timeoutMs: 2_000, quietMs: 20 });
      const answered = other.call('x');
      const last = connections.at(-1);
      const before = connections.length;
      await within(20_000, 'two questions', (resolve) => { accepted = () => connections.length >= before + 2 && resolve(undefined); });
      last?.write(line({ id: 1, result: 'late' }));
      await expect(answered).resolves.toBe('late');
      other.close();
    } finally {
      for (const connection of connections) connection.destroy();
      server.close();
    }
  });

  test('close settles every call; what cannot be sent rejects; an aborted signal calls nothing', async () => {
    const client = await ControlClient.connect(socket);
    await expect(client.call('echo', { big: 1n })).rejects.toThrow('BigInt');
    await expect(client.call('echo', { text: 'x'.repeat(LONGEST_REQUEST) })).rejects.toMatchObject({ code: 'ERR_LINE_TOO_LONG' });
    await expect(client.call('echo', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    const calls = Array.from({ length: MOST_CALLS + 10 }, () => client.call('hold'));
    const controller = new AbortController();
    const waiting = client.call('echo', {}, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    client.close();
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'ERR_CONTROL_CLOSED' });
  });

  test('a signal ends a call that follows, and other calls go on', async () => {
    const client = await ControlClient.connect(socket);
    const controller = new AbortController();
    const following = client.call('hold', {}, { signal: controller.signal });
    await untilHeld(1);
    controller.abort();
    expect(await following).toBe('over');
    expect(await client.call('echo')).toEqual({});
    client.close();
  });
});
