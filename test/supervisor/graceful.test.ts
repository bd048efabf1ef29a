/** `graceful` without a supervisor, for each kind of server: what is in progress ends, then the process does. */
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
import { Program } from '../support/program';
import { withApp } from './app';

type Kind = 'http' | 'https' | 'http2' | 'net';

async function withServer(kind: Kind, options: object, body: (port: number, program: Program) => Promise<void>): Promise<void> {
  const program = new Program(fixture('graceful_server.js'), { args: [kind, JSON.stringify({ idleGraceMs: 200, ...options })], deadline: 20_000 });
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

  test('SIGTERM: an idle connection asks once more, a slow answer ends, then exit 0', async () => {
    await withServer(kind, { idleGraceMs: 1_500 }, async (port, program) => {
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

  test('a request in progress is answered with Connection: close', async () => {
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

  test('an uncaught exception: the others are answered, then exit 1', async () => {
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

/** The reason was made with String(), and nothing was left to finish where the app had closed its server: 7, or 1 at once. */
test('http: something without a text is thrown when the app has closed its server: who is in progress is answered all the same', async () => {
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

test('http: at the deadline who is left is cut off, and the exit code says so', async () => {
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

test.each([['hangs', ''], ['throws', 'fatal hook\n'], ['rejects', 'fatal hook\n']])('a clean-up that %s: the exit is not held up, and the code says so', async (hook, says) => {
  await withServer('http', { hook, cleanUpMs: hook === 'hangs' ? 100 : 5_000 }, async (_port, program) => {
    program.child.kill('SIGTERM');
    const { code, stdout } = await program.ended;
    expect([code, stdout.replace(/port \d+/, 'port')]).toEqual([1, `port\nleaves\ndrained\n${says}`]);
  });
});

test('two calls have one end: it waits for the servers of both, and runs the hooks of both', async () => {
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

test('drainDelayMs: it accepts for a while, a health check says that it leaves; then it refuses and ends', async () => {
  await withServer('http', { drainDelayMs: 600 }, async (port, program) => {
    const agent = new Agent();
    const health = async (): Promise<[string, string | undefined]> => {
      const response = await responseOf(ask('http', port, '/health', agent));
      return [await text(response), response.headers.connection];
    };
    expect(await health()).toEqual(['fine', 'close']); // An agent without keepAlive asks for it.
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

test('under a supervisor: timeoutMs and the clean-up hold for a stop and a reload', async () => {
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

test('a stop signal that is repeated within a second is the same one: the request in progress is answered', async () => {
  await withServer('http', {}, async (port, program) => {
    const agent = new Agent();
    const slow = await responseOf(ask('http', port, '/slow', agent));
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) program.child.kill(signal);
    await program.prints(/^leaves$/m);
    program.child.kill('SIGINT');
    program.child.kill('SIGUSR2');
    expect(await text(slow)).toBe('half whole');
    expect((await program.ended).code).toBe(0);
    agent.destroy();
  });
});

test('http: a second signal, a second later, does not wait', async () => {
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

test('http2: a stream in progress ends, the session is asked to go, then exit 0', async () => {
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

test('net: connections end by themselves, no new one comes in; exit 1 after an exception', async () => {
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

test('input that makes no sense', () => {
  const { graceful } = compiled<{ graceful: typeof Graceful }>('lib/graceful.js');
  const server = { getConnections: () => undefined } as never;
  expect(thrownBy(() => graceful({} as never)).code).toBe('ERR_INVALID_ARG_TYPE');
  expect(thrownBy(() => graceful(server, { timeoutMs: -1 })).code).toBe('ERR_OUT_OF_RANGE');
  expect(thrownBy(() => graceful(server, { idleGraceMs: '5' as never })).code).toBe('ERR_INVALID_ARG_TYPE');
});
