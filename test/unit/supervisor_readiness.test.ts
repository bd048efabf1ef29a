/** Guards when a worker is ready: when it listens where its predecessor does, by an HTTP check in its process, or by a message. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createSecureServer } from 'node:http2';
import { createServer as createNet, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ListenAddresses } from '../../internal/supervisor/worker/listen_addresses';
import { checkOptions } from '../../internal/supervisor/options';
import { commonAddresses, Readiness, type HttpCheck } from '../../internal/supervisor/readiness';
import { ReadyCheck } from '../../internal/supervisor/worker/ready_check';
import { MOST_ADDRESSES, readSetup, readAgentMessage, SUPERVISOR } from '../../internal/supervisor/wire';
import { thrownBy, within } from '../support/children';

const http: HttpCheck = { path: '/ready', port: null, intervalMs: 5, timeoutMs: 2_000 };

describe("'listening'", () => {
  const like = (...expected: string[]): Readiness => new Readiness('listening', () => new Set(expected));
  const listens = (readiness: Readiness, ...at: string[]): boolean => {
    readiness.addresses(at);
    return readiness.listening();
  };

  test('without a predecessor: ready at the first address', () => {
    expect(listens(like(), 'tcp *:9090')).toBe(true);
  });

  test('with a predecessor: ready at all of its addresses; `missing` names the others', () => {
    const readiness = like('tcp *:8000', 'tcp *:9090');
    expect(readiness.missing).toBe('');
    expect(listens(readiness, 'tcp *:9090')).toBe(false);
    expect(readiness.missing).toBe(': it listens at tcp *:9090, and not at tcp *:8000 as its predecessor does');
    expect(readiness.deadline()).toBe(false);
    expect(listens(readiness, 'tcp *:9090', 'tcp *:8000')).toBe(true);
  });

  test('an address has changed: ready at the same number of addresses', () => {
    const readiness = like('tcp *:8000', 'tcp *:9001');
    expect([listens(readiness, 'tcp *:9002'), listens(readiness, 'tcp *:9002', 'tcp *:8000')]).toEqual([false, true]);
  });

  test('its predecessor begins to listen at one more address: the worker must listen there too', () => {
    const expected = new Set(['tcp *:9090']);
    const readiness = new Readiness('listening', () => expected);
    expected.add('tcp *:8000');
    expect([listens(readiness, 'tcp *:9090'), listens(readiness, 'tcp *:8000', 'tcp *:9090')]).toEqual([false, true]);
  });

  test('its predecessor is gone: at the deadline any address is enough', () => {
    const expected = new Set(['tcp *:8000', 'tcp *:9090']);
    const readiness = new Readiness('listening', () => expected);
    expect([listens(readiness, 'tcp *:9090'), readiness.deadline()]).toEqual([false, false]);
    expected.clear();
    expect([readiness.deadline(), like().deadline()]).toEqual([true, false]);
  });

  test('commonAddresses: only addresses of all serving workers, not the port of a leader or of one worker', () => {
    const [leader, other] = [new Set(['tcp *:8000', 'tcp *:7000', 'tcp *:9001']), new Set(['tcp *:8000', 'tcp *:9002'])];
    expect(commonAddresses(leader, [leader, other])).toEqual(new Set(['tcp *:8000']));
    expect(commonAddresses(leader, [leader])).toEqual(leader);
    expect(commonAddresses(null, [leader, other])).toEqual(new Set(['tcp *:8000']));
    expect(commonAddresses(null, [])).toEqual(new Set());
  });
});

test("'online', 'message': ready by these events alone", () => {
  const nobody = (): Set<string> => new Set();
  expect([new Readiness('online', nobody).online(), new Readiness('message', nobody).online(), new Readiness('listening', nobody).online()]).toEqual([true, false, false]);
  const message = new Readiness('message', nobody);
  expect([message.listening(), message.messageReceived('steady'), message.messageReceived('ready'), message.deadline()]).toEqual([false, false, true, false]);
  expect(new Readiness('online', nobody).messageReceived('ready')).toBe(false);
});

test('{ http }: ready when it listens where its predecessor does and the check has succeeded', () => {
  const readiness = new Readiness({ http }, () => new Set(['tcp *:8000']));
  readiness.addresses([]);
  expect([readiness.checked(null), readiness.listening()]).toEqual([false, false]);
  readiness.addresses(['tcp *:8000']);
  expect(readiness.listening()).toBe(true);
  expect([readiness.checked('GET /ready: 503'), readiness.missing, readiness.deadline()]).toEqual([false, ': GET /ready: 503', false]);
  expect(readiness.checked(null)).toBe(true);
});

test('addresses are reported as the app asked for them, as long as the server listens', async () => {
  const told: (readonly string[])[] = [];
  const addresses = new ListenAddresses((all) => told.push(all));
  const servers = [createNet(), createNet(), createNet(), createNet(), createNet()] as const;
  const queries = [
    { address: null, port: 0, addressType: 4 }, { address: null, port: 0, addressType: 4 }, { address: '127.0.0.1', port: 80, addressType: 4 },
    { address: '/run/app.sock', port: -1, addressType: -1 }, { address: '0.0.0.0', port: 53, addressType: 'udp4' },
  ];
  for (const [at, server] of servers.entries()) addresses.add(server, queries[at]);
  expect(told.at(-1)).toEqual(['tcp *:0', 'tcp *:0 (2)', 'tcp 127.0.0.1:80', '/run/app.sock', 'udp 0.0.0.0:53']);
  addresses.add(servers[0], queries[2]);
  servers[0].emit('close');
  expect(told.at(-1)).toEqual(['tcp *:0', 'tcp 127.0.0.1:80', '/run/app.sock', 'udp 0.0.0.0:53']);
  for (const server of servers) server.emit('close');
  expect([told.at(-1), servers[0].listenerCount('close')]).toEqual([[], 0]);
});

describe('the HTTP check', () => {
  const open: Server[] = [];
  afterEach(() => { for (const server of open.splice(0)) server.close(); });

  /** The reports of a check until it has succeeded, or until there are `complaints`. */
  async function check(servers: object[], options: Partial<HttpCheck> = {}, complaints = Infinity): Promise<(string | null)[]> {
    const told: (string | null)[] = [];
    await within<void>(10_000, `the end of the check, after ${String(told)}`, (resolve) => {
      const ready = new ReadyCheck({ ...http, ...options }, (complaint) => {
        told.push(complaint);
        if (complaint === null || told.length === complaints) resolve();
      });
      for (const server of servers) ready.add(server);
    });
    return told;
  }

  test('the check works with http, https, and http2 with allowHTTP1: without network and TLS, and in spite of maxConnections', async () => {
    const kinds: ((listener: never) => Server)[] = [createServer, createHttps, (listener) => createSecureServer({ allowHTTP1: true }, listener) as never];
    for (const create of kinds) {
      let asked = 0;
      const server = create(((request: { url: string; socket: { setNoDelay(): void } }, response: { statusCode: number; end(text: string): void }) => {
        request.socket.setNoDelay();
        response.statusCode = ++asked < 3 ? 503 : 204;
        response.end(asked < 3 ? request.url.repeat(10_000) : '');
      }) as never);
      server.maxConnections = -1;
      expect(await check([server])).toEqual(['GET /ready: 503', null]);
      expect(asked).toBe(3);
    }
  });

  test('an app that closes the connection, does not answer, or throws', async () => {
    let asked = 0;
    const server = createServer((request) => { if (++asked === 1) request.socket.destroy(); });
    server.on('connection', () => { if (asked > 1) throw new Error('no such socket'); });
    expect(await check([server], { timeoutMs: 50 }, 3)).toEqual(['GET /ready: socket hang up', 'GET /ready: no answer within 50 ms', 'GET /ready: no such socket']);
    server.removeAllListeners();
  });

  test('of several servers any one may answer; with `port` only the server on that port', async () => {
    const wrong = createServer((_request, response) => void response.writeHead(404).end());
    const right = createServer((_request, response) => void response.end());
    expect(await check([wrong, right])).toEqual([null]);
    open.push(wrong, right);
    for (const server of [wrong, right]) await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = wrong.address() as AddressInfo;
    expect(await check([createNet(), wrong, right], { port }, 1)).toEqual(['GET /ready: 404']);
    expect(await check([right], { port }, 1)).toEqual([`no http server listens on port ${port}`]);
  });
});

test('messages of a worker and the environment variable are checked', () => {
  const message = (more: object): unknown => readAgentMessage({ cmd: SUPERVISOR, ...more });
  expect(message({ act: 'listens', at: ['tcp *:80'] })).toMatchObject({ at: ['tcp *:80'] });
  for (const at of [undefined, 'x', [1], Array(MOST_ADDRESSES + 1).fill('x'), ['x'.repeat(1_000)]]) expect(message({ act: 'listens', at })).toBe(null);
  expect([message({ act: 'checked', complaint: '' }), message({ act: 'checked' })]).toMatchObject([{ complaint: '' }, null]);
  const setup = { trial: true, graceMs: 1, leaveMs: 2, patienceMs: 3, move: true, check: http };
  expect(readSetup(JSON.stringify(setup))).toEqual(setup);
  expect(readSetup(JSON.stringify({ ...setup, check: { path: 1 } }))?.check).toBe(null);
  for (const text of [undefined, '', '1', 'null', '{}', '{"trial":true}', JSON.stringify({ ...setup, graceMs: -1 })]) expect(readSetup(text)).toBe(null);
});

test('options: ready, drainDelayMs, cwd', () => {
  const ready = (value: unknown): unknown => checkOptions({ ready: value as never }).ready;
  expect([ready('online'), ready({ http: '/x' })]).toEqual(['online', { http: { path: '/x', port: null, intervalMs: 250, timeoutMs: 2_000 } }]);
  expect(ready({ http: { path: '/x', port: 80, intervalMs: 1, timeoutMs: 1 } })).toEqual({ http: { path: '/x', port: 80, intervalMs: 1, timeoutMs: 1 } });
  const code = (options: unknown): string => String(thrownBy(() => checkOptions(options as never)).code);
  expect(['ok', 1, { htp: '/' }, { http: 'x' }, { http: '/ ' }, { http: '/\r\nX: y' }, { http: { path: '/', ports: 1 } }].map((value) => code({ ready: value })))
    .toEqual(Array(7).fill('ERR_INVALID_ARG_VALUE'));
  expect([{}, { http: 1 }, { http: {} }, { http: { path: '/', port: '80' } }].map((value) => code({ ready: value }))).toEqual(Array(4).fill('ERR_INVALID_ARG_TYPE'));
  expect([{ port: 0 }, { port: 65_536 }, { port: 1.5 }, { intervalMs: 0 }, { timeoutMs: -1 }].map((value) => code({ ready: { http: { path: '/', ...value } } }))).toEqual(Array(5).fill('ERR_OUT_OF_RANGE'));
  expect([code({ drainDelayMs: '1' }), code({ drainDelayMs: -1 }), code({ cwd: 1 }), code({ cwd: '' })])
    .toEqual(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE']);
  expect([checkOptions({}).drainDelayMs, checkOptions({ drainDelayMs: 5 }).drainDelayMs]).toEqual([0, 5]);
});
