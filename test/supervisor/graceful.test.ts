/** `graceful` without a supervisor, for each kind of server: the requests in progress are finished, then the process exits. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { graceful as Graceful } from '../../lib/graceful';
import { compiled, fixture, thrownBy } from '../support/children';
import { freePort } from '../support/free_port';
import { Program } from '../support/program';
import { withApp } from './app';

type Kind = 'http' | 'https' | 'http2' | 'net';

async function withServer(kind: Kind, options: object, body: (port: number, program: Program) => Promise<void>): Promise<void> {
  // Its own, since it closes its server, and some tests ask what clients get then.
  const env = { PORT: String(await freePort()) };
  const program = new Program(fixture('graceful_server.js'), { args: [kind, JSON.stringify({ idleGraceMs: 200, ...options })], env });
  try {
    await body(Number((await program.prints(/^port (\d+)$/m))[1]), program);
  } finally {
    await program.stop('SIGKILL').catch(() => undefined);
  }
}

const secure = {
  ciphers: 'PSK', maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined,
  pskCallback: () => ({ psk: Buffer.from('0123456789abcdef0123456789abcdef', 'hex'), identity: 'client' }),
} as unknown as RequestOptions;

/** One request, over an agent that keeps its connection. */
function ask(kind: 'http' | 'https', port: number, path: string, agent: Agent): ClientRequest {
  const options = { host: '127.0.0.1', port, path, agent };
  return kind === 'http' ? httpRequest(options).end() : httpsRequest({ ...options, ...secure }).end();
}

const agentKept = (): Agent => new Agent({ keepAlive: true });

const responseOf = async (sent: ClientRequest): Promise<IncomingMessage> => (await once(sent, 'response') as [IncomingMessage])[0];

describe.each(['http', 'https'] as const)('%s', (kind) => {
  const agentOf = (): Agent => (kind === 'http' ? new Agent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true }));

  test('SIGTERM: an idle connection sends one more request, a slow response is finished, then exit 0', async () => {
    await withServer(kind, { idleGraceMs: 4_000, timeoutMs: 16_000 }, async (port, program) => {
      const agent = agentOf();
      const slow = await responseOf(ask(kind, port, '/slow', agent));
      const idle = (kind === 'http' ? connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', ...secure as ConnectionOptions })).setEncoding('utf8');
      const question = 'GET / HTTP/1.1\r\nHost: app\r\n\r\n';
      idle.write(question);
      expect((await once(idle, 'data'))[0]).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: keep-alive\r\n/);
      const silent = connect(port, '127.0.0.1').on('error', () => undefined).resume();
      await once(silent, 'connect');
      program.child.kill('SIGTERM');
      await program.prints(/^leaves$/m);
      idle.write(question);
      expect((await once(idle, 'data'))[0]).toMatch(/^HTTP\/1.1 200 OK\r\n(.*\r\n)*Connection: close\r\n/);
      program.child.kill('SIGUSR2');
      expect(await text(slow)).toBe('half whole');
      const { code, stdout, stderr } = await program.ended;
      expect([code, stdout.replace(/port \d+/, 'port'), stderr]).toEqual([0, 'port\nleaves\ndrained\n', '']);
      idle.destroy();
      silent.destroy();
      agent.destroy();
    });
  });

  test('the response to a request in progress says Connection: close', async () => {
    await withServer(kind, {}, async (port, program) => {
      const agent = agentOf();
      const late = ask(kind, port, '/late', agent);
      await program.prints(/^late$/m);
      program.child.kill('SIGTERM');
      await program.prints(/^leaves$/m);
      program.child.kill('SIGUSR2');
      const response = await responseOf(late);
      expect([await text(response), response.headers.connection]).toEqual(['late', 'close']);
      expect((await program.ended).code).toBe(0);
      agent.destroy();
    });
  });

  test('an uncaught exception: the other requests are answered, then exit 1', async () => {
    await withServer(kind, {}, async (port, program) => {
      const agent = agentOf();
      const slow = await responseOf(ask(kind, port, '/slow', agent));
      expect(await text(await responseOf(ask(kind, port, '/throw', agent)))).toBe('thrown');
      await program.prints(/^leaves$/m);
      program.child.kill('SIGUSR2');
      expect(await text(slow)).toBe('half whole');
      const { code, stdout } = await program.ended;
      expect([code, stdout.replace(/port \d+/, 'port')]).toEqual([1, 'port\nfatal a bug\nleaves\ndrained\n']);
      agent.destroy();
    });
  });
});

/** Two faults of before: String() of the thrown value could throw (exit 7), and a server that the app had closed counted as idle (exit 1 at once). */
test('http: the app closes its server and throws a value that has no text: requests in progress are still answered', async () => {
  await withServer('http', {}, async (port, program) => {
    const agent = agentKept();
    const slow = await responseOf(ask('http', port, '/slow', agent));
    expect(await text(await responseOf(ask('http', port, '/strange', agent)))).toBe('thrown');
    await program.prints(/^leaves$/m);
    program.child.kill('SIGUSR2');
    expect(await text(slow)).toBe('half whole');
    const { code, stdout } = await program.ended;
    expect([code, stdout.replace(/port \d+/, 'port')]).toEqual([1, 'port\nfatal undefined\nleaves\ndrained\n']);
    agent.destroy();
  });
});

test('http: at the deadline the open connections are cut off, and the exit code is 1', async () => {
  await withServer('http', { timeoutMs: 500 }, async (port, program) => {
    const agent = new Agent();
    const slow = await responseOf(ask('http', port, '/slow', agent));
    const cut = text(slow).then(() => 'whole', (error: NodeJS.ErrnoException) => error.code);
    program.child.kill('SIGTERM');
    expect(await cut).toBe('ECONNRESET');
    const { code, stdout } = await program.ended;
    expect([code, stdout.replace(/port \d+/, 'port')]).toEqual([1, 'port\nleaves\ndrained, 1 cut, 1\n']);
    agent.destroy();
  });
});

test.each([['hangs', ''], ['throws', 'fatal hook\n'], ['rejects', 'fatal hook\n']])('onDrained that %s: the process exits in time, with 1', async (hook, says) => {
  await withServer('http', { hook, cleanUpMs: hook === 'hangs' ? 100 : 5_000 }, async (_port, program) => {
    program.child.kill('SIGTERM');
    const { code, stdout } = await program.ended;
    expect([code, stdout.replace(/port \d+/, 'port')]).toEqual([1, `port\nleaves\ndrained\n${says}`]);
  });
});

test('two calls share one end: it waits for the servers of both calls, and runs the hooks of both', async () => {
  await withServer('http', { twice: true }, async (_port, program) => {
    const other = Number((await program.prints(/^other (\d+)$/m))[1]);
    const agent = new Agent();
    const slow = await responseOf(ask('http', other, '/slow', agent));
    program.child.kill('SIGTERM');
    await program.prints(/^leaves$/m);
    program.child.kill('SIGUSR2');
    expect(await text(slow)).toBe('half whole');
    const { code, stdout } = await program.ended;
    expect([code, stdout.replace(/\d+/g, 'n')]).toEqual([0, 'other n\nport n\nleaves\ndrained\nthe other, too\n']);
    agent.destroy();
  });
});

test('drainDelayMs: it accepts connections for a while, with isLeaving() true; then it refuses connections and exits', async () => {
  await withServer('http', { drainDelayMs: 2_000 }, async (port, program) => {
    const agent = new Agent();
    const health = async (): Promise<[string, string | undefined]> => {
      const response = await responseOf(ask('http', port, '/health', agent));
      return [await text(response), response.headers.connection];
    };
    expect(await health()).toEqual(['fine', 'close']); // The agent has no keepAlive, so the client asks for `close`.
    const kept = agentKept();
    expect((await responseOf(ask('http', port, '/', kept).on('error', () => undefined))).headers.connection).toBe('keep-alive');
    program.child.kill('SIGTERM');
    while ((await health())[0] === 'fine');
    const last = await responseOf(ask('http', port, '/', kept));
    expect([await text(last), last.headers.connection]).toEqual(['quick', 'close']);
    await program.prints(/^leaves$/m);
    const [error] = await once(ask('http', port, '/', agent), 'error') as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/ECONNREFUSED|ECONNRESET/);
    expect((await program.ended).code).toBe(0);
    agent.destroy();
    kept.destroy();
  });
});

test('under a supervisor: timeoutMs and onDrained hold for a stop and a reload as well', async () => {
  await withApp({ workers: 1, env: { APP_TIMEOUT: '400' } }, 'graceful', async (app) => {
    await app.supervisor.started;
    const agent = new Agent();
    for (const command of ['reload', 'stop'] as const) {
      (await responseOf(ask('http', app.port, '/stream?lines=100000', agent))).on('error', () => undefined).resume();
      const { workers } = await app.supervisor[command]();
      expect(workers.at(-1)).toMatchObject({ became: 'left', code: 1, signal: null });
      expect(app.life(workers.at(-1)?.worker ?? 0)).not.toContain('terminating');
    }
    expect(app.messages).toEqual([{ cut: 1 }, { cut: 1 }]);
    agent.destroy();
  });
});

test('a signal that comes again within a second is the same request: the request in progress is answered', async () => {
  await withServer('http', { again: ['SIGINT', 'SIGTERM'] }, async (port, program) => {
    const agent = new Agent();
    const slow = await responseOf(ask('http', port, '/slow', agent));
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) program.child.kill(signal);
    await program.prints(/^again SIGINT\nagain SIGTERM$/m);
    program.child.kill('SIGUSR2');
    expect(await text(slow)).toBe('half whole');
    expect((await program.ended).code).toBe(0);
    agent.destroy();
  });
});

test('http: a second signal after more than a second cuts off the connections', async () => {
  await withServer('http', { timeoutMs: 20_000 }, async (port, program) => {
    const agent = new Agent();
    const slow = await responseOf(ask('http', port, '/slow', agent));
    slow.on('error', () => undefined);
    const first = performance.now();
    program.child.kill('SIGTERM');
    await program.prints(/^leaves$/m);
    expect((await program.insist('SIGTERM')).code).toBe(1);
    expect(performance.now() - first).toBeGreaterThanOrEqual(999);
    agent.destroy();
  });
});

test('http2: a stream in progress is finished, the session gets GOAWAY, then exit 0', async () => {
  await withServer('http2', {}, async (port, program) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({ ':path': '/slow' }).setEncoding('utf8');
    await once(stream, 'response');
    const body = text(stream);
    program.child.kill('SIGTERM');
    await once(session, 'goaway');
    program.child.kill('SIGUSR2');
    expect(await body).toBe('half whole');
    expect((await program.ended).code).toBe(0);
    session.destroy();
  });
});

test('net: open connections may end by themselves, no new one is accepted; exit 1 after an exception', async () => {
  await withServer('net', {}, async (port, program) => {
    const [one, two] = [connect(port, '127.0.0.1').setEncoding('utf8'), connect(port, '127.0.0.1').setEncoding('utf8')];
    two.write('there');
    await once(two, 'data');
    one.write('/throw');
    expect(await once(one, 'data')).toEqual(['thrown']);
    await program.prints(/^leaves$/m);
    const [error] = await once(connect(port, '127.0.0.1'), 'error') as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    two.write('still');
    expect(await once(two, 'data')).toEqual(['still']);
    one.end();
    two.end();
    expect((await program.ended).code).toBe(1);
  });
});

test('wrong arguments throw', () => {
  const { graceful } = compiled<{ graceful: typeof Graceful }>('lib/graceful.js');
  const server = { getConnections: () => undefined } as never;
  expect(thrownBy(() => graceful({} as never)).code).toBe('ERR_INVALID_ARG_TYPE');
  expect(thrownBy(() => graceful(server, { timeoutMs: -1 })).code).toBe('ERR_OUT_OF_RANGE');
  expect(thrownBy(() => graceful(server, { idleGraceMs: '5' as never })).code).toBe('ERR_INVALID_ARG_TYPE');
});
