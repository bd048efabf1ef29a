/** Guards when a successor counts as ready: at its main port, not at its first one. And that a stop can wait for load balancers. */
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { SteadyLoad } from '../support/steady_load';
import { ours, stock, withApp, type App } from './app';

/** Counts the addresses at which each worker listens; `both` waits until the first worker listens at two. */
function addressesOf(app: App): { of(worker: number | null): number; both(): Promise<void>; end(): void } {
  const counts = new Map<number, number>();
  const count = ({ id }: { id: number }): void => void counts.set(id, (counts.get(id) ?? 0) + 1);
  app.cluster.on('listening', count);
  const of = (worker: number | null): number => counts.get(worker ?? 0) ?? 0;
  return {
    of,
    both: async () => { while (of(app.supervisor.status().workers[0]?.worker ?? 0) < 2) await once(app.cluster, 'listening'); },
    end: () => void app.cluster.removeListener('listening', count),
  };
}

test('an app that opens its metrics port first: the successor is ready when it listens at both ports, and no request fails', async () => {
  await withApp({ workers: 1, canaryMs: 0, idleGraceMs: 1_500 }, 'two ports', async (app) => {
    const addresses = addressesOf(app);
    await addresses.both();
    const load = new SteadyLoad(app.port, { chosen: ['one-shot', 're-used'] });
    let ready: number | undefined;
    app.supervisor.on('transition', ({ worker, state }) => { if (state.is === 'ready') ready = addresses.of(worker); });
    app.write(2, 'two ports');
    await app.supervisor.reload();
    await load.stop();
    addresses.end();
    expect([ready, load.failures]).toEqual([2, []]);
  });
});

test('a release that listens at fewer addresses than the one before: the error says which address is missing', async () => {
  await withApp({ workers: 1, readyTimeoutMs: 6_000 }, 'two ports', async (app) => {
    const addresses = addressesOf(app);
    await addresses.both();
    addresses.end();
    app.write(2, 'serve');
    await expect(app.supervisor.reload()).rejects.toThrow(
      'not ready within 6000 ms: it listens at tcp 127.0.0.1:0, and not at tcp 127.0.0.1:0 (2) as its predecessor does');
  });
});

test.each([['ours', ours], ['node:cluster', stock]])('%s: the HTTP check asks each worker itself, also a canary on trial', async (_name, cluster) => {
  await withApp({ cluster, workers: 2, ready: { http: { path: '/ready', intervalMs: 20 } } }, 'serve', async (app) => {
    await app.supervisor.started;
    app.write(2);
    expect(await app.supervisor.reload()).toMatchObject({ outcome: 'done' });
  });
});

test("'online': a worker without a server is ready", async () => {
  await withApp({ workers: 1, ready: 'online' }, 'never listens', async (app) => {
    await app.supervisor.started;
    expect(app.supervisor.status().ready).toBe(1);
  });
});

test('drainDelayMs: after a stop the workers accept connections for a while, with Connection: close; a reload does not wait', async () => {
  await withApp({ workers: 1, drainDelayMs: 2_000, leaveTimeoutMs: 10_000 }, 'serve', async (app) => {
    await app.supervisor.started;
    await app.supervisor.reload();
    const report = app.supervisor.stop();
    expect(app.supervisor.status()).toMatchObject({ desired: 0, ready: 0 });
    const stopped = performance.now();
    await app.until(() => app.transitions.some(({ state }) => state.is === 'leaving' && state.reason === 'stopped'), 'the stop');
    const [response] = await once(httpGet({ port: app.port, host: '127.0.0.1', headers: { connection: 'keep-alive' } }), 'response') as [IncomingMessage];
    response.resume();
    expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
    expect((await report).workers.at(-1)).toMatchObject({ became: 'left', code: 0 });
    expect(performance.now() - stopped).toBeGreaterThanOrEqual(1_999);
  });
});
