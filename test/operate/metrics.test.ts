/** The options `health` and `metrics`: what is answered, for how long, and what clients can do to that server. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SuperviseOptions } from '../../lib/supervisor';
import { timers } from '../../internal/builtins';
import { HealthServer, plain, type Routes } from '../../internal/operate/metrics/health_server';
import type { observe } from '../../internal/supervisor/observers';
import { compiled, event, fixture, thrownBy, within } from '../support/children';
import { readOpenMetrics, type ReadFamily } from '../support/openmetrics';
import { freePort } from '../support/free_port';
import { Program, run } from '../support/program';
import { App, stock, supervise, withApp } from '../supervisor/app';

interface Reply { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: string }

/** One request on a connection of its own; null if there was no answer. */
function ask(port: number, path = '/', method = 'GET'): Promise<Reply | null> {
  return within<Reply | null>(20_000, `the answer to ${path}`, (resolve) => {
    http.request({ port, path, method, host: '127.0.0.1', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => { body += text; })
        .on('error', () => resolve(null)).on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    }).on('error', () => resolve(null)).end();
  });
}

/** Sends bytes as they are; resolves with all that comes back, when the connection has ended. */
function sendRaw(port: number, text: string): Promise<string> {
  return within<string>(20_000, 'the end of a connection', (resolve) => {
    let came = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (more: string) => { came += more; }).on('error', () => undefined).on('close', () => resolve(came));
  });
}

const status = async (port: number, path: string): Promise<number | null> => (await ask(port, path))?.status ?? null;
const metrics = async (port: number): Promise<Map<string, ReadFamily>> => readOpenMetrics((await ask(port, '/metrics'))?.body ?? '');
const value = (families: Map<string, ReadFamily>, name: string, labels: object = {}): number | undefined =>
  families.get(name)?.samples.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;
const total = (families: Map<string, ReadFamily>, name: string): number => (families.get(name)?.samples ?? []).reduce((sum, sample) => sum + sample.value, 0);

/** Asks until the answer is as it should be. */
async function until(fact: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!await fact()) if (performance.now() > end) throw new Error(`${what} did not become true within 20 s`);
}

describe('a supervised app', () => {
  test('one address answers probes and scrapers; its counters are true and survive a reload; no worker has its socket', async () => {
    const port = await freePort();
    await withApp({ health: port, metrics: { port, host: '127.0.0.1' }, pingMs: 20 }, 'serve', async (app) => {
      await until(async () => await status(port, '/readyz') === 200, 'ready');
      await app.supervisor.started;
      expect(await ask(port, '/livez')).toMatchObject({ status: 200, body: 'ok\n', headers: { connection: 'close', 'cache-control': 'no-store' } });
      expect(await ask(port, '/readyz?verbose')).toMatchObject({ status: 200, body: expect.stringMatching(/^[12] of 2 workers (is|are) ready, 1 must be\n$/) });
      expect(await ask(port, '/metrics')).toMatchObject({ status: 200, headers: { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' } });
      expect(await ask(port, '/metrics', 'HEAD')).toMatchObject({ status: 200, body: '', headers: { 'content-length': expect.stringMatching(/^\d{4}$/) } });
      expect(await ask(port, '/')).toMatchObject({ status: 404, body: 'not found; there are: /livez /readyz /metrics\n' });
      expect(await ask(port, '/__proto__')).toMatchObject({ status: 404 });
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) expect(await ask(port, '/livez', method)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });

      const before = await metrics(port);
      for (let request = 0; request < 10; request++) await ask(app.port);
      await until(async () => total(await metrics(port), 'cluster_worker_requests') === 10, '10 requests reported by pongs');
      const after = await metrics(port);
      const grown = (name: string): number => total(after, name) - total(before, name);
      expect([grown('cluster_connections_accepted'), grown('cluster_connections_handed_off'), grown('cluster_connections_acknowledged')]).toEqual([10, 10, 10]);
      expect(after.get('cluster_handoff_latency_seconds')?.samples.find(({ name }) => name.endsWith('_count'))?.value).toBe(10);
      for (const place of ['1', '2']) {
        expect(value(after, 'cluster_worker_resident_memory_bytes', { place })).toBeGreaterThan(1e6);
        for (const name of ['connections', 'event_loop_delay_seconds', 'cpu_ratio']) expect(value(after, `cluster_worker_${name}`, { place }), name).toBeGreaterThanOrEqual(0);
      }

      // Each look during a reload and a death: no counter goes down.
      const looks: Map<string, ReadFamily>[] = [after];
      const look = async (): Promise<void> => void looks.push(await metrics(port));
      const pending: Promise<void>[] = [];
      const lookAgain = (): void => void pending.push(look());
      app.supervisor.on('transition', lookAgain);
      await app.supervisor.reload();
      process.kill(app.pids[0] as number, 'SIGKILL');
      await app.until(() => app.supervisor.status().ready < 2, 'the death');
      await app.until(() => app.supervisor.status().ready === 2, 'the restart');
      for (let request = 0; request < 5; request++) await ask(app.port);
      await until(async () => total(await metrics(port), 'cluster_worker_requests') === 15, '15 requests');
      app.supervisor.off('transition', lookAgain);
      await Promise.all(pending);
      await look();
      const last = looks.at(-1) as Map<string, ReadFamily>;
      // Requests that a worker has reported count although it dies before anybody asks for the metrics.
      const reported = (): number => app.supervisor.status().workers.reduce((sum, { requests }) => sum + (requests ?? 0), 0);
      const had = reported();
      for (let request = 0; request < 4; request++) await ask(app.port);
      await until(async () => await status(port, '/livez') === 200 && reported() === had + 4, '4 requests reported by pongs');
      for (const pid of app.pids) process.kill(pid, 'SIGKILL');
      await app.until(() => app.supervisor.status().ready === 0, 'two deaths');
      await app.until(() => app.supervisor.status().ready === 2, 'two restarts');
      expect(total(await metrics(port), 'cluster_worker_requests')).toBe(19);
      expect(looks.length).toBeGreaterThan(8);
      for (const [at, families] of looks.entries()) {
        for (const [name, { type, samples }] of looks[at - 1] ?? []) {
          if (type !== 'counter') continue;
          for (const { labels, value: earlier } of samples) expect(value(families, name, labels), `${name} ${JSON.stringify(labels)}`).toBeGreaterThanOrEqual(earlier);
        }
      }
      expect([value(last, 'cluster_reloads', { outcome: 'done' }), value(last, 'cluster_restarts')]).toEqual([1, 1]);

      const inode = /^ *\d+: 0100007F:([0-9A-F]{4}) \S+ 0A (?:\S+ +){5}(\d+)/gm;
      const [, , ofServer] = [...readFileSync('/proc/self/net/tcp', 'utf8').matchAll(inode)].find(([, hex]) => Number.parseInt(hex as string, 16) === port) ?? [];
      const sockets = (pid: number): string[] => readdirSync(`/proc/${pid}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
          return ''; // That of the directory itself.
        }
      });
      expect(sockets(process.pid)).toContain(`socket:[${ofServer}]`);
      for (const pid of app.pids) expect(sockets(pid)).not.toContain(`socket:[${ofServer}]`);
    });
  });

  test('/readyz: 503 until minReady workers are ready, and from the first moment of a stop on, while workers still serve; then nothing listens, until scale', async () => {
    const [port, other] = [await freePort(), await freePort()];
    await withApp({ health: { port, minReady: 2 }, metrics: other, drainDelayMs: 60_000 }, 'serve', async (app) => {
      await until(async () => await status(port, '/livez') === 200, 'alive');
      await app.supervisor.started;
      expect(await ask(port, '/readyz')).toMatchObject({ status: 200, body: '2 of 2 workers are ready, 2 must be\n' });
      expect([await status(port, '/metrics'), await status(other, '/metrics'), await status(other, '/livez')]).toEqual([404, 200, 404]);
      process.kill(app.pids[0] as number, 'SIGKILL');
      await app.until(() => app.supervisor.status().ready === 1, 'the death');
      expect([await status(port, '/livez'), [200, 503].includes(await status(port, '/readyz') ?? 0)]).toEqual([200, true]);
      await app.until(() => app.supervisor.status().ready === 2, 'the restart');

      const stopped = app.supervisor.stop();
      expect(await ask(port, '/readyz')).toMatchObject({ status: 503, body: 'stopping\n' });
      expect([await status(port, '/livez'), await status(other, '/metrics'), await status(app.port, '/')]).toEqual([200, 200, 200]);
      await app.supervisor.stop({ now: true });
      await stopped;
      await app.until(() => app.supervisor.status().workers.length === 0, 'the end');
      await until(async () => await status(port, '/livez') === null && await status(other, '/metrics') === null, 'closed');
      await app.supervisor.scale(2);
      expect([await status(port, '/readyz'), await status(other, '/metrics')]).toEqual([200, 200]);
    });
  });

  test('/livez: 503 when every place is given up for good', async () => {
    const port = await freePort();
    await withApp({ health: port, workers: 1, restarts: { max: 1, minDelayMs: 1, maxDelayMs: 1 } }, 'exits', async (app) => {
      await app.supervisor.started.catch(() => undefined);
      await app.until(() => app.giveups.length > 0, 'given up');
      expect(await ask(port, '/livez')).toMatchObject({ status: 503, body: 'given up: no worker could be kept running\n' });
      expect(await status(port, '/readyz')).toBe(503);
    });
  });

  test('on Node\'s own cluster: probes, and all metrics but those of connections', async () => {
    const port = await freePort();
    await withApp({ cluster: stock, workers: 1, health: port, metrics: port }, 'serve', async (app) => {
      await app.supervisor.started;
      expect(await status(port, '/readyz')).toBe(200);
      const names = [...(await metrics(port)).keys()];
      expect(names).toContain('cluster_workers');
      expect(names.filter((name) => /connections_|handoff/.test(name))).toEqual([]);
    });
  });
});

describe('an address that cannot be had', () => {
  test("is an 'error' of the supervisor that says what to do, once; the workers serve on if the program decides so", async () => {
    const port = await freePort();
    const other = net.createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void other.close());
    await event(other, 'listening');
    const app = new App({ health: port, metrics: { port: await freePort(), host: '192.0.2.1' } });
    const errors: NodeJS.ErrnoException[] = [];
    app.supervisor.on('error', (error) => errors.push(error));
    const observed: string[] = [];
    compiled<{ observe: typeof observe }>('internal/supervisor/observers.js').observe(app.supervisor, ([name]) => void observed.push(name));
    try {
      await app.supervisor.started;
      expect(errors.map(({ code }) => code).sort()).toEqual(['EADDRINUSE', 'EADDRNOTAVAIL']);
      expect(observed.filter((name) => name === 'error')).toEqual(['error', 'error']);
      expect(errors.find(({ code }) => code === 'EADDRINUSE')?.message)
        .toBe(`The option health: cannot listen on 127.0.0.1:${port}: EADDRINUSE, another program (or another supervisor) listens there; choose another port`);
      expect(await status(app.port, '/')).toBe(200);
    } finally {
      await app.end();
    }
  });

  test('ends a program that does not listen for it, and its workers', async () => {
    const port = await freePort();
    const other = net.createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void other.close());
    await event(other, 'listening');
    const { code, stdout, stderr } = await run(fixture('supervised_primary.js'), { args: ['ends'], env: { OPTIONS: JSON.stringify({ health: port }) } });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`The option health: cannot listen on 127.0.0.1:${port}: EADDRINUSE`);
  });
});

test.each([
  ['stops', 0, 'ready\nthrown: a listener\nECONNREFUSED\nend 0\n'], ['gives up', 69, 'ready\nend 69\n'],
])('the server does not keep a primary alive that %s, whatever its listeners do, and cuts its clients off', async (what, exitCode, printed) => {
  const port = await freePort();
  const program = new Program(fixture('health_primary.js'), { args: [what], env: { PORT: String(port) } });
  await program.prints(/ready/);
  expect(await status(port, '/readyz')).toBe(200);
  const client = net.connect(port, '127.0.0.1');
  const closed = event(client.on('error', () => undefined), 'close');
  await event(client, 'connect');
  program.child.kill('SIGUSR2');
  const { code, stdout } = await program.ended;
  await closed;
  expect([code, stdout]).toEqual([exitCode, printed]);
});

describe('clients of the server', () => {
  /** A server of its own, without workers. */
  async function open(routes: Routes = new Map([['/', () => plain(200, 'ok')]])): Promise<{ port: number; server: HealthServer }> {
    const port = await freePort();
    const server = new HealthServer('127.0.0.1', port, routes, (error) => { throw error; });
    server.open();
    onTestFinished(() => server.close());
    await until(async () => await ask(port, '/nothing') !== null, 'open');
    return { port, server };
  }

  test('those that hold connections open keep nobody out: the oldest is cut off', async () => {
    // The deadline of a connection must not do what this test is about.
    vi.spyOn(timers, 'setTimeout').mockReturnValue({ unref() { return this; } } as NodeJS.Timeout);
    onTestFinished(() => void vi.restoreAllMocks());
    const { port, server } = await open();
    const held: net.Socket[] = [];
    let cut = 0;
    for (let at = 0; at < 200; at++) {
      const socket = net.connect(port, '127.0.0.1').on('error', () => undefined).on('close', () => { cut++; });
      held.push(socket);
      await event(socket, 'connect');
      socket.write('GET / HT'); // Half a request.
    }
    expect(await status(port, '/')).toBe(200);
    await until(async () => await status(port, '/') === 200 && cut >= 200 - 64, 'the oldest are cut off');
    expect(cut).toBeLessThan(200);
    server.close();
    await until(async () => await ask(port) === null && cut === 200, 'all are cut off');
  });

  test('one that is slow is cut off after 10 s, while it sends and while it reads', async () => {
    const started = vi.spyOn(timers, 'setTimeout');
    onTestFinished(() => void vi.restoreAllMocks());
    const { port } = await open(new Map([['/', () => plain(200, 'x'.repeat(16 * 1024 * 1024))]]));
    for (const request of ['GET / HTTP/1.1\r\nHost: x\r\nX: ', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n']) {
      started.mockClear();
      const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
      const closed = event(socket, 'close');
      await event(socket, 'connect');
      socket.write(request);
      await until(async () => { await new Promise(setImmediate); return started.mock.calls.some(([, ms]) => ms === 10_000); }, 'the timer');
      const due = started.mock.calls.find(([, ms]) => ms === 10_000)?.[0] as () => void;
      if (request.endsWith('\r\n\r\n')) {
        await event(socket, 'readable'); // The answer has begun; it is not read.
      }
      due();
      socket.resume();
      await closed;
    }
  });

  test('garbage, a head that is too long, a body of a gigabyte, a second request: one answer at most, and the connection ends', async () => {
    const { port } = await open();
    expect(await sendRaw(port, 'EHLO example.org\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await sendRaw(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await sendRaw(port, `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n${'x'.repeat(100_000)}`)).toMatch(/^(HTTP\/1\.1 405 |$)/);
    expect((await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50))).match(/HTTP\/1\.1/g)).toEqual(['HTTP/1.1']);
    expect((await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await sendRaw(port, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    expect(await sendRaw(port, 'GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 404 /);
    expect(await status(port, '/')).toBe(200);
  });

  test('an answer that throws is 500, and the server goes on', async () => {
    const { port } = await open(new Map([
      ['/', () => plain(200, 'ok')], ['/throws', () => { throw new Error('replaced by the program'); }], ['/no-text', () => { throw Object.create(null); }],
    ]));
    expect(await ask(port, '/throws')).toMatchObject({ status: 500, body: 'no answer: Error: replaced by the program\n' });
    expect(await ask(port, '/no-text')).toMatchObject({ status: 500, body: 'no answer: an error that has no text\n' });
    expect(await status(port, '/')).toBe(200);
  });
});

describe('what makes no sense is an error at once', () => {
  test.each<[string, unknown, string]>([
    ['health', 0, 'ERR_OUT_OF_RANGE'], ['health', 65_536, 'ERR_OUT_OF_RANGE'], ['health', 80.5, 'ERR_OUT_OF_RANGE'], ['health', '80', 'ERR_INVALID_ARG_TYPE'],
    ['health', true, 'ERR_INVALID_ARG_TYPE'], ['health', {}, 'ERR_INVALID_ARG_TYPE'], ['health', { port: 80, minReady: 0 }, 'ERR_OUT_OF_RANGE'],
    ['health', { port: 80, minReady: 2_000 }, 'ERR_OUT_OF_RANGE'], ['health', { port: 80, ready: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['metrics', { port: 80, minReady: 1 }, 'ERR_INVALID_ARG_VALUE'], ['metrics', { port: 80, host: '' }, 'ERR_INVALID_ARG_VALUE'],
    ['metrics', { port: 80, host: 'a b' }, 'ERR_INVALID_ARG_VALUE'], ['metrics', { port: 80, host: 5 }, 'ERR_INVALID_ARG_TYPE'], ['metrics', NaN, 'ERR_OUT_OF_RANGE'],
  ])('%s: %o', (name, given, code) => {
    expect(thrownBy(() => supervise({ exec: __filename, [name]: given } as SuperviseOptions)).code).toBe(code);
  });
});
